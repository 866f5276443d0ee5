#!/usr/bin/env bash
# Writes the reports beside this file again, with the tools that are installed.
#
#   make.sh FOLDER [TOOL...]
#
# FOLDER is where the tiny projects go. npm's tools are looked for in
# FOLDER/node_modules, Python's in FOLDER/python (a virtual environment); see README.md
# for the versions. Each tool prints its own summary: expected.json has its numbers.
set -u
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && work=$(cd "$1" && pwd)
shift
export PATH="$work/runtime/bin:$work/python/bin:$work/node_modules/.bin:$PATH" NO_COLOR=1 CI=1

project() { rm -rf "${work:?}/$1" && mkdir -p "$work/$1" && cd "$work/$1" || exit 1; }

# keep REPORT NAME: without this machine's paths, names and Java's properties.
keep() {
  sed -e "s#file://$work/$tool/##g" -e "s#$work/$tool/##g" -e "s#$work/$tool##g" \
    -e "s#$work/##g" -e "s#$(readlink -f "$work/node_modules")/#node_modules/#g" -e 's/hostname="[^"]*"/hostname="host"/g' \
    -e '/<properties>/,/<\/properties>/{/java\.\|sun\.\|user\.\|os\.\|file\.\|path\.\|line\.\|surefire\.\|native\.\|jdk\.\|basedir\|localRepository\|env\./d}' \
    -e 's#/\(root\|home\)/[^ ():"&]*/#/elsewhere/#g' "$1" > "$here/$2"
}

make_pytest() {
  project pytest
  cat > test_clock.py <<'E'
import unittest, pytest

def test_ticks(): pass

def test_tocks():
    print("said before it failed")
    assert 1 == 2, "late"

@pytest.mark.skip(reason="not today")
def test_sleeps(): pass

@pytest.mark.xfail(reason="known")
def test_known(): assert False

@pytest.fixture
def broken(): raise RuntimeError("oops")

def test_broken(broken): pass

@pytest.fixture
def messy():
    yield
    raise RuntimeError("not cleaned")

def test_messy(messy): pass

def test_twice_wrong(messy): assert False

@pytest.mark.parametrize("hour", [0, 12, "a::b", "é"])
def test_hours(hour): assert hour != 12

class TestCase(unittest.TestCase):
    def test_sub(self):
        for n in range(2):
            with self.subTest(n=n):
                pass
E
  python -m pytest -p no:cacheprovider --junitxml=report.xml | tail -1
  keep report.xml pytest.xml
  python -m pytest -p no:cacheprovider -o junit_family=xunit1 --junitxml=report.xml | tail -1
  keep report.xml pytest-xunit1.xml
  mkdir cut && echo 'import nothing_of_this_name' > cut/test_import.py
  python -m pytest -p no:cacheprovider cut --junitxml=report.xml | tail -1
  keep report.xml pytest-collection.xml
}

make_rerunfailures() {
  project rerunfailures
  cat > test_flaky.py <<'E'
import pathlib

def test_steady(): pass

def test_flaky():
    mark = pathlib.Path("mark")
    if not mark.exists():
        mark.touch()
        assert False, "the first time"

def test_never(): assert False, "every time"
E
  python -m pytest -p no:cacheprovider --reruns 2 --junitxml=report.xml | tail -1
  keep report.xml pytest-rerunfailures.xml
}


js_tests='
describe("clock", () => {
  test("ticks", () => { expect(1).toBe(1); });
  test("tocks", () => { expect(1).toBe(2); });
  test("throws", () => { throw new Error("oops"); });
  test.skip("sleeps", () => {});
  test.todo("chimes");
  test.each([[0], [12]])("hour %i", (hour) => { expect(hour).toBe(0); });
  test.each([[1], [2]])("same name", (n) => { expect(n).toBe(1); });
  describe("inner", () => { test("ticks", () => { expect(1).toBe(1); }); });
});
let goes = 0;
'

make_jest() {
  project jest
  echo '{"name":"clock","jest":{"reporters":["default","jest-junit"]}}' > package.json
  { echo "$js_tests"
    echo 'jest.retryTimes(1); test("flaky", () => { goes += 1; expect(goes).toBe(2); });'
  } > clock.test.js
  echo 'require("./nothing"); test("lost", () => {});' > broken.test.js
  jest --ci --no-cache 2>&1 | grep -E '^(Tests|Test Suites):'
  keep junit.xml jest.xml
  JEST_JUNIT_REPORT_TEST_SUITE_ERRORS=true JEST_JUNIT_ADD_FILE_ATTRIBUTE=true \
    JEST_JUNIT_CLASSNAME='{classname}' JEST_JUNIT_TITLE='{title}' \
    jest --ci --no-cache 2>&1 | grep -E '^(Tests|Test Suites):'
  keep junit.xml jest-options.xml
}

make_vitest() {
  project vitest
  echo '{"type":"module"}' > package.json
  { echo 'import { describe, test, expect } from "vitest";'
    echo 'import { late } from "./clock.js";'
    echo "$js_tests"
    echo 'test("flaky", { retry: 2 }, () => { goes += 1; expect(goes).toBe(2); });'
    echo 'test("covers", () => { expect(late(1)).toBe("no"); });'
  } > clock.test.js
  cat > clock.js <<'E'
export function late(hour) {
  if (hour > 12) {
    return "yes";
  }
  return "no";
}
E
  echo 'import "./nothing.js"; import { test } from "vitest"; test("lost", () => {});' > broken.test.js
  vitest run --reporter=default --reporter=junit --outputFile.junit=report.xml \
    --coverage.enabled --coverage.reportOnFailure --coverage.reporter=cobertura \
    --coverage.reporter=lcovonly --coverage.reporter=text 2>&1 |
    grep -E 'Tests  |Test Files  |clock.js|All files'
  keep report.xml vitest.xml
  keep coverage/cobertura-coverage.xml vitest-cobertura.xml
  keep coverage/lcov.info vitest-lcov.info
}

make_mocha() {
  project mocha
  cat > clock.spec.js <<'E'
const assert = require("node:assert");
let goes = 0;
describe("clock", () => {
  it("ticks", () => {});
  it("tocks", () => { assert.equal(1, 2); });
  it.skip("sleeps", () => {});
  it("chimes");
  for (const hour of [0, 12]) it(`hour ${hour}`, () => assert.equal(hour, 0));
  it("flaky", function () { this.retries(2); goes += 1; assert.equal(goes, 2); });
  describe("inner", () => { it("ticks", () => {}); });
  describe("hooked", () => { before(() => { throw new Error("oops"); }); it("lost", () => {}); });
});
E
  mocha --reporter dot clock.spec.js | grep -E 'passing|pending|failing'
  mocha --reporter mocha-junit-reporter clock.spec.js > /dev/null
  keep test-results.xml mocha.xml
}

make_node() {
  project node
  cat > clock.test.js <<'E'
const { describe, it, test } = require("node:test");
const assert = require("node:assert");
describe("clock", () => {
  it("ticks", () => {});
  it("tocks", () => { assert.equal(1, 2); });
  it.skip("sleeps", () => {});
  it.todo("chimes");
  describe("inner", () => { it("ticks", () => {}); });
});
test("outside", () => {});
E
  node --test --test-reporter=tap --test-reporter-destination=stdout \
    --test-reporter=junit --test-reporter-destination=report.xml clock.test.js |
    grep -E '^# (tests|pass|fail|skipped|todo)' | paste -sd' '
  keep report.xml node.xml
}

make_playwright() {
  project playwright
  echo '{"name":"clock"}' > package.json
  cat > clock.spec.js <<'E'
const { test, expect } = require("@playwright/test");
test.describe("clock", () => {
  test("ticks", () => {});
  test("tocks", () => { expect(1).toBe(2); });
  test.skip("sleeps", () => {});
  test.fixme("chimes", () => {});
  test("known", () => { test.fail(); expect(1).toBe(2); });
  test("flaky", ({}, info) => { expect(info.retry).toBe(1); });
  for (const hour of [0, 12]) test(`hour ${hour}`, () => { expect(hour).toBe(0); });
});
E
  PLAYWRIGHT_JUNIT_OUTPUT_NAME=report.xml playwright test --retries=1 --reporter=junit
  keep report.xml playwright.xml
  PLAYWRIGHT_JUNIT_INCLUDE_RETRIES=1 PLAYWRIGHT_JUNIT_OUTPUT_NAME=report.xml playwright test --retries=1 --reporter=junit
  keep report.xml playwright-retries.xml
  playwright test --retries=1 --reporter=line 2>&1 | grep -E '^ +[0-9]+ (passed|failed|flaky|skipped)'
}

make_gotestsum() {
  project gotestsum
  printf 'module example.org/clock\n\ngo 1.19\n' > go.mod
  cat > clock_test.go <<'E'
package clock

import (
	"os"
	"testing"
)

func TestTicks(t *testing.T) {}
func TestTocks(t *testing.T) { t.Error("late") }
func TestSleeps(t *testing.T) { t.Skip("not today") }
func TestHours(t *testing.T) {
	for _, hour := range []string{"0", "12"} {
		t.Run(hour, func(t *testing.T) {
			if hour == "12" {
				t.Fatal("noon")
			}
		})
	}
}
func TestFlaky(t *testing.T) {
	if _, err := os.Stat("mark"); err != nil {
		os.WriteFile("mark", nil, 0o600)
		t.Fatal("the first time")
	}
}
E
  mkdir broken panics
  printf 'package broken\n\nimport "testing"\n\nfunc TestLost(t *testing.T) { nothing() }\n' > broken/broken_test.go
  printf 'package panics\n\nimport "testing"\n\nfunc TestFirst(t *testing.T) {}\nfunc TestPanics(t *testing.T) { panic("oops") }\n' > panics/panics_test.go
  GOFLAGS=-mod=mod gotestsum --junitfile report.xml --format dots ./... | grep DONE
  keep report.xml gotestsum.xml
  rm -rf mark broken panics
  gotestsum --rerun-fails=2 --packages ./... --junitfile report.xml --format dots | grep DONE
  keep report.xml gotestsum-rerun.xml
  touch mark
  sed -i -e '/late/d' -e 's/"12"}/"1"}/' clock_test.go && rm mark
  gotestsum --rerun-fails=2 --packages ./... --junitfile report.xml --format dots | grep DONE
  keep report.xml gotestsum-rerun-green.xml
}

make_phpunit() {
  project phpunit
  mkdir tests
  cat > phpunit.xml <<'E'
<phpunit colors="false" beStrictAboutTestsThatDoNotTestAnything="true"><testsuites><testsuite name="unit"><directory suffix=".php">tests</directory></testsuite></testsuites></phpunit>
E
  cat > tests/ClockTest.php <<'E'
<?php
namespace Example;
use PHPUnit\Framework\TestCase;
final class ClockTest extends TestCase {
    public function testTicks(): void { $this->assertSame(1, 1); $this->assertTrue(true); }
    public function testTocks(): void { $this->assertSame(1, 2, 'late'); }
    public function testThrows(): void { throw new \RuntimeException('oops'); }
    public function testSleeps(): void { $this->markTestSkipped('not today'); }
    public function testChimes(): void { $this->markTestIncomplete('later'); }
    public function testNothing(): void { }
    /** @dataProvider hours */
    public function testHours(int $hour): void { $this->assertSame(0, $hour); }
    public function hours(): array { return ['midnight' => [0], 'noon' => [12]]; }
}
E
  phpunit --log-junit report.xml | grep Tests:
  keep report.xml phpunit.xml
}

make_bats() {
  project bats
  cat > clock.bats <<'E'
@test "ticks" { true; }
@test "tocks" { echo "said"; false; }
@test "sleeps" { skip "not today"; }
@test "quotes <&> \"" { true; }
@test "flaky" { BATS_TEST_RETRIES=1; [ "$BATS_TEST_TRY_NUMBER" = 2 ]; }
E
  bats --report-formatter junit --output . clock.bats
  sleep 1 # its formatter ends after it
  keep report.xml bats.xml
}

make_ctest() {
  project ctest
  cat > CMakeLists.txt <<'E'
cmake_minimum_required(VERSION 3.21)
project(clock NONE)
enable_testing()
add_test(NAME ticks COMMAND true)
add_test(NAME tocks COMMAND false)
add_test(NAME sleeps COMMAND sh -c "exit 77")
set_tests_properties(sleeps PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME lost COMMAND no-such-program)
add_test(NAME off COMMAND true)
set_tests_properties(off PROPERTIES DISABLED TRUE)
add_test(NAME flaky COMMAND sh -c "test -e mark || { touch mark; exit 1; }")
E
  cmake -S . -B build > /dev/null
  ctest --test-dir build --repeat until-pass:2 --output-junit report.xml 2>&1 | grep -A12 'tests passed'
  keep build/report.xml ctest.xml
}

make_prove() {
  project prove
  mkdir t
  cat > t/clock.t <<'E'
use Test::More;
ok(1, 'ticks');
ok(0, 'tocks');
SKIP: { skip 'not today', 1; ok(1, 'sleeps'); }
TODO: { local $TODO = 'later'; ok(0, 'chimes'); }
done_testing;
E
  printf 'use Test::More tests => 3;\nok(1, "first");\ndie "oops";\n' > t/dies.t
  prove --formatter TAP::Formatter::JUnit t > report.xml
  prove t 2>&1 | grep -E 'Failed|Files='
  keep report.xml prove.xml
}

make_surefire() {
  project surefire
  mkdir -p src/test/java/org/example
  cat > pom.xml <<'E'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org.example</groupId><artifactId>clock</artifactId><version>1</version>
<properties><maven.compiler.release>17</maven.compiler.release>
<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
<dependencies><dependency><groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId>
<version>5.12.2</version><scope>test</scope></dependency></dependencies>
<build><plugins>
<plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
<plugin><artifactId>maven-compiler-plugin</artifactId><version>3.14.0</version></plugin>
<plugin><artifactId>maven-surefire-plugin</artifactId><version>3.2.5</version></plugin>
</plugins></build>
</project>
E
  cat > src/test/java/org/example/ClockTest.java <<'E'
package org.example;
import static org.junit.jupiter.api.Assertions.*;
import org.junit.jupiter.api.*;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
class ClockTest {
    static int goes;
    static int throwing;
    @Test void ticks() {}
    @Test void tocks() { System.out.println("said"); assertEquals(1, 2, "late"); }
    @Test void breaks() { throw new IllegalStateException("oops"); }
    @Disabled("not today") @Test void sleeps() {}
    @Test void flaky() { assertEquals(2, ++goes); }
    @Test void flakyThrows() { if (++throwing < 2) throw new IllegalStateException("oops"); }
    @ParameterizedTest @ValueSource(ints = {0, 12}) void hours(int hour) { assertEquals(0, hour); }
    @Nested class Inner { @Test void ticks() {} }
}
E
  mvn -o -B -Dsurefire.rerunFailingTestsCount=2 test 2>&1 | grep -E 'Tests run:' | tail -1
  for report in target/surefire-reports/TEST-*.xml; do
    keep "$report" "surefire-$(basename "$report" .xml | sed 's/.*\.//; s/[$]/-/').xml"
  done
}


make_coverage() {
  project coverage
  mkdir clock
  cat > clock/hands.py <<'E'
def late(hour):
    if hour > 12:
        return "yes"
    return "no"


def unused():
    return 1
E
  echo > clock/__init__.py
  printf 'from clock.hands import late\n\n\ndef test_late():\n    assert late(1) == "no"\n' > test_hands.py
  python -m coverage run --source=clock -m pytest -q -p no:cacheprovider > /dev/null
  python -m coverage xml -q && python -m coverage lcov -q && python -m coverage report
  keep coverage.xml coverage-py.xml
  keep coverage.lcov coverage-py.lcov
}

make_nyc() {
  project nyc
  echo '{}' > package.json
  printf 'exports.late = (hour) => {\n  if (hour > 12) {\n    return "yes";\n  }\n  return "no";\n};\n' > clock.js
  printf 'const { late } = require("./clock.js");\nlate(1);\n' > run.js
  nyc --reporter=text --reporter=cobertura --reporter=lcovonly node run.js | grep -E 'clock|All'
  keep coverage/cobertura-coverage.xml nyc-cobertura.xml
  keep coverage/lcov.info nyc-lcov.info
}

[ $# -gt 0 ] || set -- pytest rerunfailures jest vitest mocha node playwright gotestsum \
  phpunit bats ctest prove surefire coverage nyc
for tool in "$@"; do
  echo "== $tool"
  "make_$tool"
done
