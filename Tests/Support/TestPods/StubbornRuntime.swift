internal import Foundation
internal import TestNode

/// A runtime that counts how often it is executed, and that its filter kills where it is told to.
public struct StubbornRuntime: Sendable {
    public let path: String
    private let state = "/mnt/programs/stubborn-state"

    public init() throws {
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs/stubborn.c").path()
        path = try TestPrograms.compile(source)
        try shell("rm -rf \(state) && mkdir \(state) && touch \(state)/calls")
    }

    /// For `helper.conf`.
    public var policyLine: String { "runtime = stubborn \(path) \(state)" }

    public func setKilled(_ isKilled: Bool) throws {
        try shell(isKilled ? "touch \(state)/KILLED" : "rm \(state)/KILLED")
    }

    /// How often it was executed up to now.
    public func calls() throws -> Int { try Data(contentsOf: URL(filePath: "\(state)/calls")).count }
}
