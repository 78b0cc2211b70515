internal import LinuxSystem

extension RuntimeWords {
    /// The most bytes of a log that are read, from its end.
    private static let most = 4 << 20
    /// How long the journal may take.
    private static let patience = Duration.seconds(5)

    /// What a runtime's log says of a pod: the file that is its standard error, or else the journal. nil if there is
    /// neither.
    ///
    /// - Parameters:
    ///   - process: The runtime's; nil if it does not run, so that only the journal can tell.
    ///   - name: Its process's name.
    public static func read(
        of process: Int32?, named name: String, pod: String, _ containers: [String]
    ) -> RuntimeWords? {
        if let process, let (path, bytes) = tail("/proc/\(process)/fd/2") {
            return RuntimeWords(log: bytes, of: pod, containers, source: path)
        }
        guard let journal = journal(name, [pod] + containers) else { return nil }
        return RuntimeWords(log: journal, of: pod, containers, source: "the journal")
    }

    /// The end of what a process has as a regular file; nil if it is something else, or does not answer.
    private static func tail(_ link: String) -> (path: String, bytes: [UInt8])? {
        guard let path = (try? linkTarget(link)) ?? nil, path.first == slash,
            case .answers = FilesystemProbe.ask(link),
            let file = try? Descriptor.open(Array(link.utf8), Descriptor.withoutWaiting),
            let status = try? FileStatus.ofOpen(file.number), status.kind == .regular
        else { return nil }
        let start = max(0, status.size - Int64(most))
        let bytes = file.read(Int(status.size - start), at: start)
        return (path.text, start == 0 ? bytes : Array(bytes.drop { $0 != newline }))
    }

    /// The journal's lines of a program that have one of these ids, of the last day.
    private static func journal(_ name: String, _ ids: [String]) -> [UInt8]? {
        // Ids of CRI runtimes hold nothing that means something in a pattern.
        let ids = ids.filter { $0.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) } }
        guard !ids.isEmpty,
            let (status, bytes) = try? output(
                of: [
                    "/usr/bin/journalctl", "--quiet", "--no-pager", "--output=cat", "--since=-1d", "--lines=200",
                    "--case-sensitive=true", "--grep=\(ids.joined(separator: "|"))", "_COMM=\(name)",
                ], environment: ["PATH=/usr/bin:/bin", "LC_ALL=C"], within: patience, atMost: 1 << 20)
        else { return nil }
        return status == 0 && !bytes.isEmpty ? bytes : nil
    }
}
