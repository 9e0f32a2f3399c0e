import Foundation
import XCTest

/// Modules that are compiled for wide instruction sets must not define weak functions: the linker may keep that copy for
/// the whole program, which would then stop on a CPU without those instructions. A module's own functions, specialised by
/// the compiler, are weak too, but no other module can define them.
final class WeakSymbolTests: XCTestCase {
  func testKernelModulesDefineNoWeakFunctions() throws {
    #if os(Linux) && arch(x86_64)
    let products =
      Bundle.main.bundleURL.path.hasSuffix(".xctest")
      ? Bundle.main.bundleURL.deletingLastPathComponent()
      : URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    var inspected = 0
    for module in ["TileKernelsAVX2", "TileKernelsAVX512", "TileKernelsVBMI"] {
      let folder = products.appendingPathComponent("\(module).build")
      guard let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) else {
        throw XCTSkip("no objects beside the test program: \(folder.path)")
      }
      for object in files where object.lastPathComponent.hasSuffix(".swift.o") {
        let functions = try weakFunctions(in: object).filter { !$0.hasPrefix("$s\(module.count)\(module)") }
        XCTAssertEqual(functions, [], "\(module): \(object.lastPathComponent)")
        inspected += 1
      }
    }
    XCTAssertGreaterThanOrEqual(inspected, 5)
    // The inspection itself works: ordinary modules are full of weak functions.
    let ordinary = products.appendingPathComponent("TestSupport.build/SeededGenerator.swift.o")
    XCTAssertNotEqual(try weakFunctions(in: ordinary), [])
    #endif
  }

  /// Names of weak functions in a 64-bit little-endian ELF object's symbol table.
  private func weakFunctions(in object: URL) throws -> [String] {
    let bytes = try [UInt8](Data(contentsOf: object))
    XCTAssertEqual(Array(bytes[..<6]), [0x7f, 0x45, 0x4c, 0x46, 2, 1], "not an ELF object")
    func number(_ offset: Int, _ size: Int) -> Int {
      (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    let sections = number(0x28, 8)
    let sectionSize = number(0x3a, 2)
    var names: [String] = []
    var functionCount = 0
    for section in 0..<number(0x3c, 2) {
      let header = sections + section * sectionSize
      guard number(header + 4, 4) == 2 else { continue }  // SHT_SYMTAB
      let strings = number(sections + number(header + 40, 4) * sectionSize + 24, 8)
      let start = number(header + 24, 8)
      for symbol in stride(from: start, to: start + number(header + 32, 8), by: 24) {
        let info = bytes[symbol + 4]
        guard info & 15 == 2, number(symbol + 6, 2) != 0 else { continue }  // a function, and defined here
        functionCount += 1
        if info >> 4 == 2 {
          names.append(String(decoding: bytes[(strings + number(symbol, 4))...].prefix { $0 != 0 }, as: UTF8.self))
        }
      }
    }
    XCTAssertGreaterThan(functionCount, 0, "no functions in \(object.lastPathComponent)?")
    return names
  }
}
