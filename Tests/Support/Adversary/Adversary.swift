import Foundation
import HelperProtocol
import TestNode

/// podreap-adversary [MESSAGES [SEED]]: sends a real helper with real capabilities what a hostile orchestrator might, first
/// looks only, then acts too, and compares what it must not touch after every batch. Run as root in a mount namespace of
/// its own: make adversary.
@main
struct Adversary {
    private static let batch = 250

    static func main() throws {
        let arguments = CommandLine.arguments
        let messages = arguments.count > 1 ? Int(arguments[1]) ?? 0 : 200_000
        let seed = arguments.count > 2 ? UInt64(arguments[2]) ?? 0 : UInt64.random(in: 1...UInt64(UInt32.max))
        guard messages > 0, seed > 0 else {
            say("usage: podreap-adversary [MESSAGES [SEED]]")
            exit(2)
        }
        say("adversary: \(messages) messages, SEED=\(seed)")
        do {
            let canaries = try Canaries()
            defer { canaries.remove() }
            let prey = Prey(try TestNode.shared())
            defer { prey.remove() }
            let run = try Run(canaries, prey, seed: seed)
            try run.half("looks", messages / 2, batch, acting: false)
            try run.half("acts", messages - messages / 2, batch, acting: true)
        } catch {
            say("adversary: FAILED, again with MESSAGES=\(messages) SEED=\(seed): \(error)")
            exit(1)
        }
    }
}

final class Run {
    private let canaries: Canaries
    private let prey: Prey
    private let session = Session()
    private var messages: Messages
    private let untouched: Snapshot

    init(_ canaries: Canaries, _ prey: Prey, seed: UInt64) throws {
        self.canaries = canaries
        self.prey = prey
        prey.restore()
        try prey.restoreContainers()
        messages = Messages(
            seed: seed, names: Prey.names, places: prey.places, containers: Prey.containerIDs, mounts: canaries.mounts,
            nodes: canaries.nodes)
        untouched = canaries.snapshot(inside: false)
    }

    func half(_ name: String, _ count: Int, _ batch: Int, acting: Bool) throws {
        let start = now()
        let before = canaries.snapshot(inside: true)
        var sent = 0
        while sent < count {
            if acting, (sent / batch) % 40 == 39 { try prey.restoreContainers() }
            var last: [[UInt8]] = []
            for number in 0..<min(batch, count - sent) {
                if acting, number % 50 == 0 { prey.restore() }
                let packet = messages.next(acting: acting)
                last.append(packet)
                let sentAt = now()
                do {
                    messages.learn(try session.send(packet, &messages.random))
                    if now() - sentAt > 1 { say("adversary: \(now() - sentAt) s: \(describe(packet))") }
                } catch {
                    throw Broken(description: "message \(sent + last.count) of \(name), \(describe(packet)): \(error)")
                }
            }
            let changes =
                acting
                ? untouched.changes(to: canaries.snapshot(inside: false))
                : before.changes(to: canaries.snapshot(inside: true))
            if !changes.isEmpty {
                let acts = last.map(describe).joined(separator: "\n    ")
                throw Broken(
                    description: "after message \(sent + last.count) of \(name) changed:\n  "
                        + changes.joined(separator: "\n  ") + "\n  sent last:\n    " + acts)
            }
            sent += last.count
        }
        try session.end()
        let seconds = now() - start
        say(
            "adversary: \(name): \(sent) messages, \(Int(Double(sent) / seconds)) a second, \(before.count) facts unchanged, "
                + "\(session.starts) helpers")
        for (outcome, count) in session.takeOutcomes().sorted(by: { $0.value > $1.value }).prefix(40) {
            say("    \(count) \(outcome)")
        }
    }

    private func describe(_ packet: [UInt8]) -> String {
        guard let request = Messages.read(packet) else {
            return "\(packet.count) bytes \(packet.prefix(60))"
        }
        switch request.request {
        case .unmount(let place, let intent): return "unmount \(place.text) \(intent)"
        case .deleteNamespace(let place, let intent): return "delete namespace \(place.text) \(intent)"
        case .removeDirectory(let place, let intent): return "remove \(place.text) \(intent)"
        default: return "\(request.request.kind)"
        }
    }
}

extension Place {
    fileprivate var text: String {
        "[\(root)]/" + String(decoding: parent.array, as: UTF8.self) + "/" + String(decoding: name.array, as: UTF8.self)
    }
}
