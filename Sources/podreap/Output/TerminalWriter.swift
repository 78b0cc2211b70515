/// Writes text for people, wrapped to the terminal's width, in colours if the user wants them.
struct TerminalWriter {
    let stream: Stream
    let paint: Paint
    let width: Int

    init(_ stream: Stream) {
        self.stream = stream
        paint = Paint(enabled: stream.isTerminal && Paint.isWanted)
        // Text in a pipe is not wrapped: its reader does that.
        width = stream.isTerminal ? max(40, stream.columns) : .max
    }

    func line(_ text: String) { stream.write(text + "\n") }
    func title(_ text: String) { line(paint.bold(text)) }

    /// - Parameters:
    ///   - first: The prefix of the first line; it takes `firstWidth` columns.
    ///   - indent: The number of blanks before the other lines.
    func paragraph(_ text: String, first: String, firstWidth: Int, indent: Int) {
        var lines: [String] = []
        var current = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            let start = lines.isEmpty ? firstWidth : indent
            if !current.isEmpty, start + current.count + 1 + word.count > width {
                lines.append(current)
                current = String(word)
            } else {
                current += (current.isEmpty ? "" : " ") + word
            }
        }
        lines.append(current)
        let rest = lines.dropFirst().map { String(repeating: " ", count: indent) + $0 + "\n" }
        stream.write(first + lines[0] + "\n" + rest.joined())
    }
}
