import Testing

@testable import HotPath

/// What Redis gets of a script's files.
@Suite("The text of a script")
struct ScriptSourceTests {
  @Test("constants are put where they are named, and nowhere else")
  func constants() {
    let first = """
      #!lua flags=allow-oom
      local HELD, FORMAT = 1, '<B\\'I2'   -- what is written
      local LATER = now + HELD
      """
    let second = """
      if outcome == HELD then -- HELD
        say('HELD', FORMAT, HELDS, #FORMAT, {[HELD] = KEYS[HELD]})
      end
      """
    let text = ScriptSource([Array(first.utf8), Array(second.utf8)]).text
    #expect(
      text == """
        #!lua flags=allow-oom

        local LATER = now + 1
        if outcome == 1 then 
          say('HELD', '<B\\'I2', HELDS, #'<B\\'I2', {[1] = KEYS[1]})
        end

        """)
  }

  @Test(
    "what is no list of literals stays",
    arguments: [
      "local held, SOLD = 1, 2", "local A = f(1)", "local A, B = 1", "local A", "A = 1",
      "local A = -1", "local A = 1 + 2",
    ])
  func others(line: String) {
    #expect(ScriptSource([Array(line.utf8)]).text == line + "\n")
  }
}
