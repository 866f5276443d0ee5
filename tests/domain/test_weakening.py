"""What was done to tests is told by name, in each language."""

import time

import pytest

from vibeboard.domain.weakening import (
    ChangedFile,
    Harm,
    Weakening,
    is_test_file,
    is_test_setup,
    weakenings,
)

Told = tuple[str | None, Harm]

PYTHON = '''
import pytest, unittest

def test_one():
    """Says something."""
    assert 1 + 1 == 2
    assert "# assert" != "x"

@pytest.mark.parametrize("hour", [1, 2, 3])
def test_many(hour):
    assert hour

class TestClock(unittest.TestCase):
    def test_inner(self):
        self.assertEqual(1, 1)
        with pytest.raises(ValueError):
            int("x")
'''
JS = """
import { test, describe, expect } from "vitest";
// it("is a comment", () => { expect(1) });
describe("clock", () => {
  it("ticks (a lot)", () => { expect(1).toBe(1);
    expect(/a"\\/(b/.test("x")).toBe(true); });
  describe('inner', function () {
    test(`tocks ${1}`, async () => { await expect(x).resolves.toBe("} expect("); });
  });
  test.each([[1, 2], [3, 4]])("adds %i", (a, b) => { expect(a).toBe(b); });
  it.each`
    a | b
    ${1} | ${2}
  `("table $a", ({ a }) => { expect(a).toBe(1); });
});
"""
GO = """
package clock
func TestTick(t *testing.T) {
	if got := tick(); got != "{" { t.Errorf("want %s", got) }
	assert.Equal(t, 1, 1)
}
func helper() {}
func TestTock(t *testing.T) { t.Run("x", func(t *testing.T) { t.Fatal('}') }) }
"""
JAVA = """
class ClockTest {
  @Timeout(5) @Test void ticks() throws Exception {
    assertEquals(1, 1); assertTrue(true); }
  @ParameterizedTest @ValueSource(ints = {0, 12}) void hours(int hour) {
    assertEquals(0, hour); }
  @Nested class Inner { @Test void ticks() { verify(x).y("}"); } }
  void helper() { assertTrue(true); }
}
"""
KOTLIN = """
class ClockTest {
    @Test fun `it ticks`() { assertEquals(1, 1) }
    @Test fun tocks() = runTest { assertTrue(x); assertTrue(y) }
}
"""
CSHARP = """
public class ClockTests {
    [Fact] public void Ticks() => Assert.Equal(1, 1);
    [Theory, InlineData(1)] public async Task Tocks(int a) {
        Assert.Equal(1, a); x.Should().Be(@"\\"); }
    [TestCase(1, 2)] public void Adds(int a, int b) { Assert.That(a, Is.EqualTo(b)); }
}
"""
PHP = """<?php
final class ClockTest extends TestCase {
    public function testTicks(): void {
        $this->assertSame(1, 1); self::assertTrue(true); }
    /** @test */
    public function it_tocks(): void { $this->expectException('}'); }
    #[Test] public function chimes(): void { $this->assertSame('a', 'b'); }
}
it('works in pest', function () { expect(true)->toBeTrue(); });
"""
RUBY = """
RSpec.describe Clock do
  it "ticks" do
    expect(1).to eq(1)
    expect("end").to eq("#{x}")
  end
  context "inner" do
    it("tocks") { expect(1).to eq 1 }
  end
end
class ClockTest < Minitest::Test
  def test_tick
    assert_equal 1, 1
  end
end
"""
RUST = """
mod tests {
    #[test]
    fn ticks<'a>() { assert_eq!(1, 1); assert!('}' != '{'); }
    #[tokio::test]
    async fn tocks() { assert!(r#""}"#.is_empty()); }
    fn helper() {}
    /* a /* comment { */ in a comment */
    #[test] fn chimes() { assert!('\\'' != '"'); }
}
"""

TICKS = "clock > ticks (a lot)"
LANGUAGES = {
    "test_a.py": (PYTHON, {"test_one", "test_many", "TestClock::test_inner"}),
    "a.test.ts": (
        JS,
        {
            "clock > ticks (a lot)",
            "clock > inner > tocks ${1}",
            "clock > adds %i",
            "clock > table $a",
        },
    ),
    "a_test.go": (GO, {"TestTick", "TestTock"}),
    "ClockTest.java": (
        JAVA,
        {"ClockTest::ticks", "ClockTest::hours", "ClockTest::Inner::ticks"},
    ),
    "ClockTest.kt": (KOTLIN, {"ClockTest::it ticks", "ClockTest::tocks"}),
    "ClockTests.cs": (
        CSHARP,
        {"ClockTests::Ticks", "ClockTests::Tocks", "ClockTests::Adds"},
    ),
    "ClockTest.php": (
        PHP,
        {
            "ClockTest::testTicks",
            "ClockTest::it_tocks",
            "ClockTest::chimes",
            "works in pest",
        },
    ),
    "clock_spec.rb": (
        RUBY,
        {"Clock > ticks", "Clock > inner > tocks", "ClockTest > test_tick"},
    ),
    "tests/clock.rs": (RUST, {"tests::ticks", "tests::tocks", "tests::chimes"}),
}


def told(path: str, before: str | None, after: str | None) -> set[Told]:
    found = weakenings([ChangedFile(path, before, after)])
    return {(each.test, each.harm) for each in found}


@pytest.mark.parametrize("path", LANGUAGES)
def test_a_removed_file_names_every_test(path: str) -> None:
    text, names = LANGUAGES[path]

    assert told(path, text, None) == {(name, Harm.REMOVED) for name in names}
    assert told(path, text, text) == set()
    assert told(path, None, text) == set()


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("test_a.py", "    assert 1 + 1 == 2\n", "", ("test_one", Harm.WEAKENED)),
        (
            "test_a.py",
            "assert 1 + 1 == 2",
            "assert True or 1",
            ("test_one", Harm.WEAKENED),
        ),
        (
            "test_a.py",
            "assert hour\n",
            "assert True\n",
            ("test_many", Harm.EMPTIED),
        ),
        ("test_a.py", "[1, 2, 3]", "[1]", ("test_many", Harm.FEWER_CASES)),
        (
            "test_a.py",
            "def test_one",
            "@pytest.mark.xfail\ndef test_one",
            ("test_one", Harm.SKIPPED),
        ),
        (
            "test_a.py",
            "        self.assertEqual",
            "        self.skipTest('x')\n        self.assertEqual",
            ("TestClock::test_inner", Harm.SKIPPED),
        ),
        (
            "test_a.py",
            "class TestClock",
            "@unittest.skip('x')\nclass TestClock",
            ("TestClock::test_inner", Harm.SKIPPED),
        ),
        ("a.test.ts", 'it("ticks', 'it.skip("ticks', (TICKS, Harm.SKIPPED)),
        ("a.test.ts", 'it("ticks', 'xit("ticks', (TICKS, Harm.SKIPPED)),
        (
            "a.test.ts",
            "describe('inner'",
            "describe.skip('inner'",
            ("clock > inner > tocks ${1}", Harm.SKIPPED),
        ),
        ("a.test.ts", 'it("ticks', 'it.only("ticks', (None, Harm.FOCUSED)),
        ("a.test.ts", "expect(1).toBe(1);", "", (TICKS, Harm.WEAKENED)),
        (
            "a.test.ts",
            "expect(a).toBe(b);",
            "// expect(a).toBe(b);\n",
            ("clock > adds %i", Harm.EMPTIED),
        ),
        (
            "a.test.ts",
            "await expect(x)",
            "test.skip(); await expect(x)",
            ("clock > inner > tocks ${1}", Harm.SKIPPED),
        ),
        ("a_test.go", "\tassert.Equal(t, 1, 1)\n", "", ("TestTick", Harm.WEAKENED)),
        (
            "a_test.go",
            "\tassert.Equal",
            '\tt.Skip("x")\n\tassert.Equal',
            ("TestTick", Harm.SKIPPED),
        ),
        (
            "ClockTest.java",
            "@Timeout(5)",
            "@Disabled",
            ("ClockTest::ticks", Harm.SKIPPED),
        ),
        (
            "ClockTest.java",
            "@Nested class",
            '@Nested @Disabled("x") class',
            ("ClockTest::Inner::ticks", Harm.SKIPPED),
        ),
        (
            "ClockTest.java",
            "assertEquals(0, hour);",
            "/* assertEquals(0, hour); */",
            ("ClockTest::hours", Harm.EMPTIED),
        ),
        ("ClockTest.kt", "assertTrue(y)", "", ("ClockTest::tocks", Harm.WEAKENED)),
        (
            "ClockTest.kt",
            "@Test fun `it",
            "@Ignore @Test fun `it",
            ("ClockTest::it ticks", Harm.SKIPPED),
        ),
        (
            "ClockTests.cs",
            "[Fact]",
            '[Fact(Skip = "x")]',
            ("ClockTests::Ticks", Harm.SKIPPED),
        ),
        (
            "ClockTests.cs",
            "[TestCase(1, 2)]",
            "[TestCase(1, 2)] [Ignore]",
            ("ClockTests::Adds", Harm.SKIPPED),
        ),
        (
            "ClockTest.php",
            "self::assertTrue(true);",
            "",
            ("ClockTest::testTicks", Harm.WEAKENED),
        ),
        (
            "ClockTest.php",
            "$this->expectException('}');",
            "$this->markTestSkipped();",
            ("ClockTest::it_tocks", Harm.SKIPPED),
        ),
        ("clock_spec.rb", 'it "ticks"', 'xit "ticks"', ("Clock > ticks", Harm.SKIPPED)),
        (
            "clock_spec.rb",
            "    expect(1).to eq(1)\n",
            "",
            ("Clock > ticks", Harm.WEAKENED),
        ),
        (
            "clock_spec.rb",
            'context "inner" do',
            'context "inner", skip: true do',
            ("Clock > inner > tocks", Harm.SKIPPED),
        ),
        (
            "tests/clock.rs",
            "#[test]",
            "#[test]\n#[ignore]",
            ("tests::ticks", Harm.SKIPPED),
        ),
        ("tests/clock.rs", "assert_eq!(1, 1);", "", ("tests::ticks", Harm.WEAKENED)),
    ],
)
def test_one_harm_is_told_and_no_other(
    path: str, old: str, new: str, expected: Told
) -> None:
    text, _ = LANGUAGES[path]
    assert old in text

    found = told(path, text, text.replace(old, new, 1))

    assert expected in found
    assert {name for name, _ in found} == {expected[0]}


def test_a_test_that_moved_or_got_another_name_was_not_removed() -> None:
    moved = [
        ChangedFile("test_a.py", PYTHON, ""),
        ChangedFile("test_b.py", None, PYTHON.replace("test_one", "test_first")),
    ]

    assert weakenings(moved) == ()


def test_tests_beside_the_code_are_seen_in_rust() -> None:
    assert ("tests::ticks", Harm.REMOVED) in told("src/clock.rs", RUST, "mod clock {}")


def test_a_long_expression_is_read() -> None:
    many = " + ".join(["1"] * 900)
    text = f"def test_sum():\n    é = {many}\n    assert é == 900\n"

    assert told("test_a.py", text, None) == {("test_sum", Harm.REMOVED)}


def test_what_cannot_be_read_is_said() -> None:
    broken = ChangedFile("test_a.py", PYTHON, "def test_one(:")
    huge = ChangedFile("test_b.py", "", "#" * 1_000_000)
    deep = ChangedFile("test_c.py", "", "(" * 10_000)

    assert [each.harm for each in weakenings([broken, huge, deep])] == [
        Harm.UNREADABLE
    ] * 3


@pytest.mark.parametrize(
    ("path", "before", "after", "changed"),
    [
        ("conftest.py", None, "x = 1", True),
        ("tests/conftest.py", "x = 1", "x = 1", False),
        ("pyproject.toml", "[project]\nname='a'", "[project]\nname='b'", False),
        (
            "pyproject.toml",
            '[tool.pytest.ini_options]\naddopts = ["-x"]\nxfail_strict = true\n[a]',
            '[tool.pytest.ini_options]\naddopts = ["-x"]\n[a]',
            True,
        ),
        ("package.json", '{"version": "1"}', '{"version": "2"}', False),
        (
            "package.json",
            '{"scripts": {"test": "jest"}}',
            '{"scripts": {"test": "true"}}',
            True,
        ),
        ("web/jest.config.js", "a", "b", True),
        ("pom.xml", "<a/>", "<b/>", False),
    ],
)
def test_changed_set_up_is_said(
    path: str, before: str | None, after: str, *, changed: bool
) -> None:
    found = weakenings([ChangedFile(path, before, after)])

    assert found == ((Weakening(path, None, Harm.SETUP),) if changed else ())


def test_files_of_tests_are_known_by_their_names() -> None:
    tests = """test_a.py a_test.py a/tests/b.py a_test.go src/a.test.tsx a.spec.mjs
    __tests__/a.js ATest.java ATests.cs AIT.java spec/a_spec.rb tests/a.rs ATest.php"""
    others = "a.py latest.py contest.go attest.js src/main.rs tests/data.json README.md"

    assert all(map(is_test_file, tests.split()))
    assert not any(map(is_test_file, others.split()))
    assert is_test_setup("a/conftest.py")
    assert not is_test_file("tests/conftest.py")


@pytest.mark.parametrize(
    ("path", "piece"),
    [
        ("a.test.js", "it('a',()=>{"),
        ("a.test.js", "describe('a',()=>{it('b',"),
        ("a.test.js", "it.each`"),
        ("a.test.js", "=/a["),
        ("ATest.java", "@Test void a("),
        ("ATest.java", "class A {"),
        ("ATest.java", "/* "),
        ("ATests.cs", "[Fact("),
        ("a_spec.rb", "it 'a' do\n"),
        ("a_spec.rb", "<<~A\n"),
        ("tests/a.rs", 'r#"'),
        ("a_test.go", "func TestA(t"),
        ("ATest.php", "<<<A\n"),
        ("package.json", '"test": "'),
        ("pom.xml", "<artifactId>maven-surefire-plugin"),
        ("pyproject.toml", "[tool.pytest\n"),
    ],
)
def test_hostile_source_takes_no_long_time(path: str, piece: str) -> None:
    text = (piece * 500_000)[:500_000]
    begin = time.process_time()

    weakenings([ChangedFile(path, text, "")])

    assert time.process_time() - begin < 15
