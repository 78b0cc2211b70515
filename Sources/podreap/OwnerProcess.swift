internal import LinuxSystem

/// Runs this program with other arguments, but the same environment and standard streams. Returns its exit status, or
/// 128 plus the signal that ended it, and the bytes that it wrote to `Stream.owner`.
///
/// - Parameter answer: Returns the answer to a line that the process wrote, which is sent to its `Stream.root`. Lines
///   that are answered are not part of the result.
func handedOver(
    by arguments: [String], answering answer: ((String) -> String)? = nil
) throws(InputError) -> (status: Int32, bytes: [UInt8]) {
    do throws(Errno) {
        // Helpers that are started in the meantime close every descriptor that they inherit. The ends' numbers are
        // higher than those that the process uses, so none is overwritten.
        let answers = try Pipe(above: Stream.root.rawValue)
        let (pid, output) = try startOwner(arguments, answers: answer == nil ? nil : answers.reading.number)
        let file = Descriptor(owning: output)
        var bytes: [UInt8] = []
        while let more = try? file.read(atMost: 65536), !more.isEmpty {
            bytes += more
            while let answer, let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                writeAll(answer(String(decoding: bytes[...end], as: UTF8.self)), to: answers.writing.number)
                bytes = Array(bytes[(end + 1)...])
            }
        }
        return (exitStatus(of: pid), bytes)
    } catch {
        throw InputError(path: programPath, reason: error)
    }
}

/// Starts the process, and returns its pid and the end of the pipe from which to read what it hands over, for the
/// caller to close.
private func startOwner(_ arguments: [String], answers: Int32?) throws(Errno) -> (pid: Int32, output: Int32) {
    let ends = try Pipe(above: Stream.root.rawValue)
    var start = ProgramStart("/proc/self/exe", words: ["podreap"] + arguments, environment: nil)
    start.files = [(Stream.owner.rawValue, .descriptor(ends.writing.number))]
    if let answers { start.files.append((Stream.root.rawValue, .descriptor(answers))) }
    return (try start.run(), try ends.reading.duplicate())
}
