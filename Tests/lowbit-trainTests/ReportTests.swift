import ProgramSupport
import XCTest

@testable import lowbit_train

final class ReportTests: XCTestCase {
  func testSparklineShape() {
    let falling = (0..<8).map { Double(7 - $0) }
    XCTAssertEqual(Sparkline(unicode: true).draw(falling, columns: 8, range: 0...7), "█▇▆▅▄▃▂▁")
    XCTAssertEqual(Sparkline(unicode: false).draw(falling, columns: 8, range: 0...7), "%#*+=-:.")
  }

  func testSparklineAveragesAndSharedRange() {
    let sparkline = Sparkline(unicode: false)
    XCTAssertEqual(sparkline.draw([0, 2, 6, 8], columns: 2, range: 0...8), ":%")
    XCTAssertEqual(sparkline.draw([1, 1], range: 0...8), "::")
    XCTAssertEqual(sparkline.draw([100, -100, .nan, .infinity], range: 0...8), "%.??")
    XCTAssertEqual(sparkline.draw([], range: 0...8), "")
    XCTAssertEqual(sparkline.draw([3], range: 3...3), ".")
    XCTAssertEqual(commonRange([[1, 3], [2, 9], [.nan]], columns: 2), 1...9)
    XCTAssertEqual(commonRange([]), 0...1)
  }

  func testLocaleDecidesAboutUnicode() {
    XCTAssertTrue(Terminal.showsUnicode(["LANG": "de_DE.UTF-8"]))
    XCTAssertTrue(Terminal.showsUnicode(["LANG": "C", "LC_ALL": "en_US.utf8"]))
    XCTAssertFalse(Terminal.showsUnicode(["LANG": "en_US.UTF-8", "LC_ALL": "C"]))
    XCTAssertTrue(Terminal.showsUnicode(["LANG": "en_US.UTF-8", "LC_ALL": ""]))
    XCTAssertFalse(Terminal.showsUnicode([:]))
  }

  func testTableColumnsLineUp() {
    let lines = ResultTable(results: [full, lowBit(1.01), lone], unicode: false).lines()
    XCTAssertEqual(lines.count, 5)
    let curve = lines[1].range(of: "loss curve")!.lowerBound.utf16Offset(in: lines[1])
    XCTAssertLessThanOrEqual(lines[1].count, 80)
    for line in lines.dropFirst(2) {
      XCTAssertEqual(line.count, curve + 4, line)
      XCTAssertEqual(Array(line)[curve - 1], " ", line)
    }
    XCTAssertTrue(lines[2].contains("2.0000  1.0000x"), lines[2])
    XCTAssertTrue(lines[3].contains("2.0200  1.0100x"), lines[3])
    XCTAssertTrue(lines[3].contains("2.12"), lines[3])
    XCTAssertTrue(lines[4].contains("1.0000        -"), lines[4])
  }

  func testVerdictOfRunsThatKeepUp() {
    let verdict = Verdict([full, lowBit(1.019), lone])
    XCTAssertEqual(verdict.exitCode, 0)
    XCTAssertEqual(verdict.pairs.count, 1)
    XCTAssertTrue(verdict.complaints.isEmpty)
    XCTAssertEqual(
      verdict.summary,
      "Adam8bit keeps 2.12 bytes of state per parameter instead of 8.00, with a validation loss 1.90 % higher.")
    XCTAssertTrue(Verdict([full, lowBit(0.99)]).summary.contains("1.00 % lower"))
    XCTAssertTrue(Verdict([full, lowBit(1)]).summary.contains("loss unchanged"))
  }

  func testVerdictOfRunsThatFallBehind() {
    let verdict = Verdict([full, lowBit(1.021)])
    XCTAssertEqual(verdict.exitCode, 1)
    XCTAssertEqual(
      verdict.complaints,
      ["Adam8bit ended at a validation loss of 2.0420, more than 2 % above Adam32's 2.0000."])
    XCTAssertEqual(Verdict([full, lowBit(.nan)]).exitCode, 1)
    XCTAssertEqual(Verdict([full, lowBit(.infinity)]).exitCode, 1)
  }

  func testVerdictWithoutPairs() {
    let verdict = Verdict([lowBit(1.5)])
    XCTAssertEqual(verdict.exitCode, 0)
    XCTAssertTrue(verdict.summary.contains("Adam8bit reached a validation loss of 3.0000"))
  }

  func testJSONKeysAndValues() throws {
    let data = try ResultFile.json([full, lowBit(1.5)])
    let objects = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    XCTAssertEqual(objects.count, 2)
    for object in objects {
      XCTAssertEqual(
        Set(object.keys),
        [
          "optimizer", "steps", "finalTrainingLoss", "finalValidationLoss", "stateBytes", "stateBytesPerParameter",
          "secondsPerStep",
        ])
    }
    XCTAssertEqual(objects[1]["optimizer"] as? String, "Adam8bit")
    XCTAssertEqual(objects[1]["steps"] as? Int, 4)
    XCTAssertEqual(objects[1]["finalValidationLoss"] as? Double, 3)
    XCTAssertEqual(objects[1]["stateBytes"] as? Int, 212)
    XCTAssertEqual(objects[1]["stateBytesPerParameter"] as? Double, 2.12)
    XCTAssertNoThrow(try ResultFile.json([lowBit(.nan)]), "a run that went wrong still leaves a file")
  }

  func testProgressOnATerminalRewritesOneLine() {
    var written = ""
    var progress = ProgressLine(optimizer: "Adam32", steps: 10, tokensPerStep: 512, isInteractive: true) {
      written += $0
    }
    progress.update(step: 1, loss: 3.21, seconds: 0.1)
    progress.update(step: 2, loss: 3.1, seconds: 0.2)
    XCTAssertTrue(written.hasPrefix("\rAdam32"))
    XCTAssertTrue(written.contains("step 1 of 10  loss 3.210  5.1k tokens/s  1 s left"), written)
    XCTAssertFalse(written.contains("step 2"), "updates within a tenth of a second are not shown")
    progress.update(step: 10, loss: 1, seconds: 1)
    progress.clear()
    XCTAssertTrue(written.contains("step 10 of 10"), "the last one always is")
    XCTAssertTrue(written.hasSuffix(" \r"))
    XCTAssertFalse(written.contains("\n"))
  }

  func testProgressElsewhereIsFourPlainLines() {
    for steps in [4, 10, 33, 600] {
      var lines: [String] = []
      var progress = ProgressLine(optimizer: "Adam32", steps: steps, tokensPerStep: 512, isInteractive: false) {
        lines.append($0)
      }
      for step in 1...steps { progress.update(step: step, loss: 1, seconds: 1) }
      progress.clear()
      XCTAssertEqual(lines.count, 4, "\(steps) steps")
      XCTAssertTrue(lines.allSatisfy { $0.hasSuffix("\n") && !$0.contains("\r") })
      XCTAssertTrue(lines.last!.contains("step \(steps) of \(steps)"))
    }
  }

  func testProgressLineFitsATerminal() {
    let progress = ProgressLine(optimizer: "Momentum8bit", steps: 100_000, tokensPerStep: 512, isInteractive: true)
    XCTAssertLessThan(progress.line(step: 1, loss: 12.345, seconds: 0.01).count, 80)
  }

  private let full = TrainingResult(
    optimizer: "Adam32", fullPrecision: "Adam32", steps: 4, losses: [4, 3, 2.5, 2.1], finalTrainingLoss: 2.1,
    finalValidationLoss: 2, stateBytes: 800, parameterCount: 100, secondsPerStep: 0.01)

  private let lone = TrainingResult(
    optimizer: "Momentum8bit", fullPrecision: "Momentum32", steps: 4, losses: [4, 3, 2.5, 2.1],
    finalTrainingLoss: 2.1, finalValidationLoss: 1, stateBytes: 100, parameterCount: 100, secondsPerStep: 0.01)

  private func lowBit(_ ratio: Double) -> TrainingResult {
    TrainingResult(
      optimizer: "Adam8bit", fullPrecision: "Adam32", steps: 4, losses: [4, 3.1, 2.6, 2.2], finalTrainingLoss: 2.2,
      finalValidationLoss: 2 * ratio, stateBytes: 212, parameterCount: 100, secondsPerStep: 0.01)
  }
}
