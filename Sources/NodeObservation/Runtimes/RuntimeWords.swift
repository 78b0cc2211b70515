internal import FoundationEssentials

/// What a runtime's log says of one pod since it was made.
public struct RuntimeWords: Sendable, Equatable, Codable {
    /// A line of the log.
    public struct Line: Sendable, Equatable, Codable {
        /// As the runtime wrote it; empty if it wrote none.
        public var time: String
        public var text: String

        public init(time: String = "", text: String) {
            self.time = time
            self.text = text
        }
    }

    /// When somebody last asked it to stop or to remove the pod; nil if nobody did as far as the log goes back.
    public var asked: Line?
    /// Its last error about the pod after that; nil if there is none, or if a later line says that the pod was stopped.
    public var error: Line?
    /// Where the log is: a path, or `the journal`.
    public var source: String

    public init(asked: Line? = nil, error: Line? = nil, source: String) {
        self.asked = asked
        self.error = error
        self.source = source
    }

    /// The most characters of one line that are kept.
    public static let longest = 600

    /// Reads a log of containerd or CRI-O, the oldest line first. Any bytes may be given.
    ///
    /// - Parameters:
    ///   - pod: The sandbox's id.
    ///   - containers: Its containers' ids.
    public init(log: [UInt8], of pod: String, _ containers: [String], source: String) {
        self.source = source
        for line in log.split(separator: newline) {
            let text = line.text
            guard text.contains(pod) || containers.contains(where: { text.contains($0) }),
                let line = LogLine(text)
            else { continue }
            read(line, pod)
        }
    }

    private mutating func read(_ line: LogLine, _ pod: String) {
        let message = line.message
        if line.isError || line.level == "warning" && message.contains("failed to") {
            // A removal that succeeds says of what it finds gone already that it failed to stop or delete it.
            let text = [message, line.error].filter { !$0.isEmpty }.joined(separator: ": ")
            if line.isError || error == nil {
                error = Line(time: line.time, text: String(text.prefix(Self.longest)))
            }
        } else if message.contains("returns sandbox id") || message.hasPrefix("Ran pod sandbox ") {
            (asked, error) = (nil, nil)
        } else if Self.endings.contains(where: { message.hasPrefix($0) })
            && (message.hasSuffix("returns successfully") || message.hasSuffix(pod))
        {
            error = nil
        } else if Self.askings.contains(where: { message.hasPrefix($0) }), message.contains(pod) {
            asked = Line(time: line.time, text: String(message.prefix(Self.longest)))
        }
    }

    private static let endings = [
        "StopPodSandbox ", "RemovePodSandbox ", "Stopped pod sandbox", "Removed pod sandbox",
    ]
    private static let askings = [
        "StopPodSandbox for ", "RemovePodSandbox for ", "Forcibly stopping sandbox ", "Stopping pod sandbox: ",
        "Removing pod sandbox: ",
    ]
}

/// A line that containerd or CRI-O wrote: logrus's text form, `time="…" level=error msg="…" error="…"`, or JSON.
struct LogLine {
    var time = ""
    var level = ""
    var message = ""
    var error = ""

    var isError: Bool { ["error", "fatal", "panic"].contains(level) }

    /// nil if the line has neither form.
    init?(_ text: String) {
        if text.first == "{" {
            guard let line = try? JSONDecoder().decode(JSONLine.self, from: Data(text.utf8)) else { return nil }
            (time, level) = (line.time ?? "", line.level ?? "")
            (message, error) = (line.msg ?? "", line.error ?? "")
        } else {
            // The journal's lines may have a prefix.
            guard let start = text.firstRange(of: "level=") else { return nil }
            let timed = text.firstRange(of: "time=\"").flatMap { $0.lowerBound < start.lowerBound ? $0 : nil }
            for (key, value) in Self.fields(text[(timed ?? start).lowerBound...]) {
                switch key {
                case "time": time = value
                case "level": level = value
                case "msg": message = value
                case "error": error = value
                default: break
                }
            }
        }
        if level.isEmpty { return nil }
    }

    private struct JSONLine: Decodable { let time, level, msg, error: String? }

    /// `key=value` pairs; a value with blanks is quoted as Go quotes strings.
    private static func fields(_ text: Substring) -> [(key: String, value: String)] {
        var (found, rest): ([(key: String, value: String)], Substring) = ([], text)
        while let equals = rest.firstIndex(of: "=") {
            let key = String(rest[..<equals].drop { $0 == " " })
            rest = rest[rest.index(after: equals)...]
            var value = ""
            if rest.first == "\"" {
                rest.removeFirst()
                while let character = rest.popFirst(), character != "\"" {
                    guard character == "\\", let escaped = rest.popFirst() else {
                        value.append(character)
                        continue
                    }
                    value.append(escaped == "n" || escaped == "t" ? " " : escaped)
                }
            } else {
                value = String(rest.prefix { $0 != " " })
                rest = rest.dropFirst(value.count)
            }
            found.append((key, value))
        }
        return found
    }
}
