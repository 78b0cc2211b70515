import Foundation
import Ownership
import SandboxRegistry

/// One of many processes that use a registry at once:
///
///     podreap-load hold REGISTRY ID [WORK]      holds a sandbox's lock until its standard input ends
///     podreap-load count REGISTRY ID FILE N     adds 1 to the number in FILE so many times, each time under the sandbox's lock
@main
enum Load {
    static func main() throws {
        let arguments = CommandLine.arguments
        // Root opens no registry in a directory of another user's.
        try Registry.ownerToBecome(arguments[2])?.become()
        let registry = try Registry(path: arguments[2])
        switch arguments[1] {
        case "hold":
            guard let hold = try registry.lock(arguments[3], as: holder(arguments.dropFirst(4).first)) else {
                return say("refused")
            }
            say("held")
            _ = FileHandle.standardInput.readDataToEndOfFile()
            hold.release()
        case "count":
            for _ in 0..<(Int(arguments[5]) ?? 0) { try count(registry, arguments[3], arguments[4]) }
        default: say("unknown command")
        }
    }

    /// At once, also into a pipe.
    private static func say(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }

    private static func count(_ registry: Registry, _ id: String, _ file: String) throws {
        while true {
            guard let hold = try registry.lock(id, as: own) else {
                usleep(UInt32.random(in: 0...300))
                continue
            }
            let number = Int(try String(contentsOfFile: file, encoding: .utf8)) ?? -1
            try Data("\(number + 1)".utf8).write(to: URL(filePath: file))
            return hold.release()
        }
    }

    private static func holder(_ work: String?) -> LockHolder {
        var holder = own
        holder.work = work ?? own.work
        return holder
    }

    static let own = LockHolder(pid: getpid(), startTime: startTime, work: "test")

    private static var startTime: UInt64 {
        let text = (try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8)) ?? ""
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 19 ? UInt64(fields[19]) ?? 0 : 0
    }
}
