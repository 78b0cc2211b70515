public import TestNode

extension Program {
    /// Starts a program that holds something until it is ended, and waits until it has said that it does.
    ///
    /// - Parameter word: The line that it then writes.
    public static func holding(_ start: ProgramStart, says word: String = "held") throws -> Program {
        var start = start
        start.output = .read
        let program = try Program(start)
        let line = try program.readLine()
        guard line == "\(word)\n" else { throw PodNodeFailure("\(start.arguments.prefix(2)) says: \(line)") }
        return program
    }

    /// Kills it, and waits for its end.
    public func end() throws {
        kill()
        _ = try wait(seconds: 5)
    }
}
