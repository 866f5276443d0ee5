"""The two files of the design document: the smallest useful one, and a full one."""

SMALLEST = """\
version: 1
board: {project: 7}
stages:
  develop: {column: In progress}
"""

FULL = """\
version: 1
board:
  project: acme/7            # [owner/]number; leave out to work by comments alone
  field: Status              # the single-select field whose options are the columns
agents:
  claude:
    cli: claude-code         # claude-code | codex | acp | command
    model: sonnet
    limits: {minutes: 45, turns: 60, usd: 5}
    tools: {allow: [Read, Edit], ask: ["Bash(git push*)"], deny: [WebFetch], \
otherwise: ask}
    network: [example.org]   # hosts the sandbox may reach, besides the model
stages:
  refine:
    column: Refinement
    agent: claude
    prompt: .vibe/prompts/refine.md     # a file, inline text, or builtin:refine
    result: issue            # issue (spec with numbered criteria) | branch | report
    next: Ready
  develop:
    column: Development
    needs: [refine]
    result: branch           # a draft PR, opened or updated
    tests: [unit]
    next: QA                 # where the card goes when the stage succeeds
    otherwise: Needs attention
  qa:
    column: QA
    tests: [unit, e2e]
    reviews: [security, ux]  # specialists, in parallel
    next: Review
  done:
    column: Done
    gate: {tests: [unit, e2e], reviews: [security], approvals: 1}
tests:
  unit: {run: pytest --junitxml=out/unit.xml, report: out/unit.xml, \
coverage: out/coverage.xml, coverage_at_least: 80}
  e2e: {run: npm run e2e, report: [out/e2e/*.xml], minutes: 60}
reviews:
  security: {agent: claude, prompt: builtin:security, blocks_on: critical}
preview: {run: npm run dev -- --port $PORT, ready: /}
runner: own                  # own | actions; also per stage
limits: {parallel: 3, usd_per_issue: 20, usd_per_day: 50}
commands: {role: write}      # the least repository permission that may start a run
"""

SUPPORTED = """\
version: 1
board: {project: acme/7, field: Stage}
agents:
  claude:
    model: sonnet
    limits: {minutes: 20, turns: 60, usd: 5}
  script: {cli: command, command: python3 "my agent.py" --fast}
stages:
  refine:
    column: Refinement
    agent: claude
    prompt: .vibe/prompts/refine.md
    next: Ready
  develop:
    column: Development
    agent: script
    needs: [refine]
    tests: [unit]
    next: QA
    otherwise: Needs attention
    priority: high
    delay: 1.5
  look:
    agent: claude
    prompt: |
      Say what the change does.
    result: report
tests:
  unit: {run: pytest --junitxml=out/unit.xml, report: out/unit.xml, minutes: 5}
limits: {parallel: 2}
commands: {role: maintain, bots: ["renovate[bot]"]}
"""
