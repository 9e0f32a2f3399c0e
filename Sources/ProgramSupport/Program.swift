import Foundation

/// A command-line program: its name, and how it ends when something is wrong.
public struct Program: Sendable {
  public let name: String
  /// The exit status for a wrong command line.
  public let usageStatus: Int32
  /// The exit status for everything else that goes wrong, such as a file that cannot be written.
  public let failureStatus: Int32

  public init(name: String, usageStatus: Int32, failureStatus: Int32) {
    self.name = name
    self.usageStatus = usageStatus
    self.failureStatus = failureStatus
  }

  /// What to type before the options.
  public var command: String { "swift run -c release \(name)" }

  /// A line above all numbers; nil in a release build.
  public var debugBuildWarning: String? {
    Machine.isDebugBuild ? "*** DEBUG BUILD: the times below mean nothing. Use: \(command) ***" : nil
  }

  /// Hands the arguments over and ends with the status that comes back, or with a complaint.
  public func run(_ body: (_ arguments: [String]) throws -> Int32) -> Never {
    do {
      exit(try body(Array(CommandLine.arguments.dropFirst())))
    } catch let problem as UsageProblem {
      complain("\(problem). Try --help.")
      exit(usageStatus)
    } catch {
      complain("\(error)")
      exit(failureStatus)
    }
  }

  private func complain(_ text: String) { FileHandle.standardError.write(Data("\(name): \(text)\n".utf8)) }
}

/// What is wrong with the command line, without a full stop.
public struct UsageProblem: Error, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
