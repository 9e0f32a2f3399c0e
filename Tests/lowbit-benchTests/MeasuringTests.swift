import XCTest

@testable import lowbit_bench

final class MeasuringTests: XCTestCase {
  func testMedian() {
    XCTAssertEqual(Sample([3]).median, 3)
    XCTAssertEqual(Sample([9, 1, 5]).median, 5)
    XCTAssertEqual(Sample([4, 1, 3, 2]).median, 2.5)
  }

  func testSpreadIsTheMiddleHalfOverTheMedian() {
    XCTAssertEqual(Sample([7]).spread, 0)
    XCTAssertEqual(Sample([5, 1, 4, 2, 3]).spread, (4 - 2) / 3.0)
    XCTAssertEqual(Sample([1, 2, 3, 4]).spread, (3.25 - 1.75) / 2.5)
    XCTAssertEqual(Sample([10, 10, 10, 10, 1000]).spread, 0, "one disturbed round does not count")
  }

  func testRatiosCompareTimesOfTheSameRound() {
    // Both are ten times as slow in the last two rounds; the ratio does not notice.
    let measurement = InterleavedMeasurement(times: [[1, 1, 1, 10, 10], [2, 2, 2, 20, 20]])
    XCTAssertEqual(measurement.ratios(of: 1, to: 0), Sample([2, 2, 2, 2, 2]))
    XCTAssertEqual(measurement.ratios(of: 0, to: 1).median, 0.5)
    XCTAssertEqual(measurement.sample(of: 1).median, 2)
  }

  func testBodiesTakeTurns() {
    var order = ""
    let bodies = ["A", "B"].map { name in TimedBody(count: 1) { order += name } }
    let measurement = InterleavedMeasurement(bodies, rounds: 3, leastSampleTime: 0)
    XCTAssertEqual(order, "AABB" + "ABABAB", "two runs of each to warm up, then in turns")
    XCTAssertEqual(measurement.times.map(\.count), [3, 3])
    XCTAssertTrue(measurement.times.joined().allSatisfy { $0 > 0 && $0.isFinite })
  }

  func testQuickBodiesAreRepeated() {
    var runs = 0
    _ = InterleavedMeasurement([TimedBody(count: 1) { runs += 1 }], rounds: 1, leastSampleTime: 1e5)
    XCTAssertGreaterThan(runs, 3)
  }

  /// Values that are subnormal or all alike would make the steps faster or slower than they are in training.
  func testGradientsAreSmallAndOrdinary() {
    let gradients = gradients(TrainingMemory(count: 5000, threads: 2))
    XCTAssertTrue(gradients.allSatisfy { $0 == 0 || abs($0) > 1e-10 && abs($0) <= 0.01 })
    XCTAssertGreaterThan(Set(gradients).count, 4900)
    XCTAssertLessThan(abs(gradients.reduce(0, +) / 5000), 5e-4)
    XCTAssertTrue(self.gradients(TrainingMemory(count: 5000, threads: 1)) == gradients)
  }

  /// The memory must outlive the tensors that point into it.
  private func gradients(_ memory: TrainingMemory) -> [Float] {
    withExtendedLifetime(memory) { memory.oneTensor().flatMap { Array($0.gradient) } }
  }

  func testMomentsNeverBecomeSubnormal() {
    let memory = TrainingMemory(count: 5000, threads: 1)
    withExtendedLifetime(memory) {
      for subject in Subject.all {
        let optimizer = subject.make()
        let parameters = Array(memory.oneTensor()[0].parameter)
        for _ in 0..<100 { optimizer.update(memory.oneTensor()) }
        let moments = optimizer.moments(of: memory.oneTensor()[0].key)!
        let all = moments.first + (moments.second ?? [])
        XCTAssertTrue(all.allSatisfy { $0.isFinite && !$0.isSubnormal }, subject.name)
        let moved = zip(parameters, memory.oneTensor()[0].parameter).map { abs($0 - $1) }.max()!
        XCTAssertLessThan(moved, 1e-5, subject.name)
      }
    }
  }

  func testTensorsCutTheMemoryWithoutGaps() {
    let memory = TrainingMemory(count: 60, threads: 1)
    withExtendedLifetime(memory) {
      let tensors = memory.tensors(of: [10, 20, 30])
      XCTAssertEqual(tensors.map(\.parameter.count), [10, 20, 30])
      XCTAssertEqual(tensors.flatMap { Array($0.gradient) }, gradients(memory))
      XCTAssertEqual(Set(tensors.map(\.key)).count, 3)
    }
  }

  func testFamiliesKeepThePartnerForTheRatio() {
    let families = Family.families { $0.name == "AdamW8bit" }
    XCTAssertEqual(families.count, 1)
    XCTAssertEqual(families[0].subjects.map(\.name), ["AdamW32", "AdamW8bit"])
    XCTAssertEqual(families[0].shown, ["AdamW8bit"])
    XCTAssertEqual(Family.families { _ in true }.flatMap { $0.subjects.map(\.name) }, Subject.all.map(\.name))
  }
}
