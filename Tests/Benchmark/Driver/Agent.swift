/// A process that does what lines on its standard input ask, and answers each with `ok` and a value.
final class Agent {
    let name: String
    private let process: Child

    init(_ name: String, _ command: [String]) throws {
        self.name = name
        process = try Child(command)
    }

    func ask(_ line: String) throws -> String {
        process.write(line + "\n")
        let answer = process.readLine()
        guard answer.hasPrefix("ok ") else { throw Incomplete("\(name): \(line.prefix(100)): \(answer)") }
        return String(answer.dropFirst("ok ".count))
    }

    /// Asks for what takes time.
    func microseconds(_ line: String) throws -> Double {
        let answer = try ask(line)
        guard let value = Double(answer) else { throw Incomplete("\(name): \(line.prefix(100)): \(answer)") }
        return value
    }

    /// Ends it, by the end of its input, and waits for that.
    func end() {
        process.closeInput()
        _ = process.wait()
    }
}
