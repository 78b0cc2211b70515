import ArgumentParser
internal import SandboxRegistry
internal import SandboxRemoval

struct GC: AsyncParsableCommand, RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Shows what is left of pods that no registry knows, and removes it if told to.",
        discussion: """
            Looks where helper.conf allows removals: at runtimes' containers, cgroups, mounts, directories and \
            namespaces. Keeps whatever a registered sandbox has, and whatever a living container or process needs. Keeps \
            everything with the id of something that is in use, or that a runtime, shim or conmon monitors, even one \
            that helper.conf does not list. Keeps what a running CRI-O or containerd may know, and what is young or of \
            unknown age. Only root sees who has a directory open or lives in a namespace, so for other users gc keeps \
            these too: run sudo podreap gc.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var helper: HelperOptions

    @Flag(help: "Remove what is found. Without this option, nothing is changed.")
    var remove = false

    @Option(help: ArgumentHelp("Keep what is younger: a number with s, m, h or d.", valueName: "age"))
    var olderThan = Age(duration: .seconds(3600))

    @Option(
        help: ArgumentHelp(
            "The time for the whole command (default: 120 for the look, and for each removal).", valueName: "seconds"))
    var timeout: Seconds?

    @Flag(name: .customLong("hand-over"), help: .hidden)
    var handsOver = false

    var helpers: HelperOptions? { helper }
    /// Only root sees which namespaces every process is in, and what it has open.
    var staysRoot: Bool { !handsOver }

    func run() async throws {
        guard !handsOver else {
            let deadline = ContinuousClock.now + Registry.busyTimeout
            return handOver(try common.openWithoutHelper().garbageRecords(until: deadline))
        }
        let time = TimeLeft(timeout)
        if remove { Stream.queueAll() }
        let garbage = try await collection(time)
        let facts = try await garbage.look(timeout: time.left)
        let verdicts = facts.judge(olderThan: olderThan.duration).filter { $0.decision != .known }
        for problem in facts.problems { complain("note: \(problem)") }
        var worst: Status = facts.problems.isEmpty ? .done : .incomplete
        var rows = Rows()
        var removable = 0
        for verdict in verdicts {
            let (done, why, failed) = try await settle(verdict, facts, garbage, time)
            if failed { worst = .incomplete }
            if case .remove = verdict.decision { removable += 1 }
            if common.json { Stream.output.write(jsonLine(Line(verdict, done, why))) }
            rows.add(verdict, done, why)
        }
        if !common.json {
            Stream.output.write(rows.text)
            if !remove, removable > 0 { complain("nothing was changed; gc --remove removes these \(removable)") }
        }
        guard worst == .done else { throw worst }
    }

    private func collection(_ time: TimeLeft) async throws -> GarbageCollection {
        guard try needsOwner else { return try await helper.orchestrator(common, warm: 1, time).0.garbageCollection }
        return helper.garbageCollection { _ throws(RemovalError) in
            do {
                return try fromOwner(GarbageRecords.self, "gc") ?? GarbageRecords()
            } catch let error as RegistryError {
                throw .registry(error)
            } catch {
                // The owner's process has already printed why.
                throw .registry(.failed(path: common.registryPath, detail: "its owner's records could not be had"))
            }
        }
    }

    /// Removes an item if told to. Returns what became of it, why, and whether something went wrong.
    private func settle(
        _ verdict: GarbageVerdict, _ facts: GarbageFacts, _ garbage: GarbageCollection, _ time: TimeLeft
    ) async throws -> (done: String, why: String, failed: Bool) {
        switch verdict.decision {
        case .known: return ("kept", "", false)
        case .keep(let reason): return ("kept", reason, false)
        case .remove(let reason):
            guard remove else { return ("removable", reason, false) }
            do {
                let failure = try await garbage.remove(
                    verdict, from: facts, olderThan: olderThan.duration, timeout: time.left)
                return failure.map { ("failed", $0, true) } ?? ("removed", reason, false)
            } catch {
                // Items for which no time is left are listed too.
                guard case .overdue = error else { throw error }
                return ("failed", "\(error)", true)
            }
        }
    }
}

/// The rows of the table that is printed without --json.
private struct Rows {
    private var rows: [[String]] = []
    /// cgroup version 1 has a hierarchy for each controller, with the same cgroup in each; the table shows them in one
    /// row.
    private var cgroups: [[String]: (row: Int, more: Int)] = [:]

    mutating func add(_ verdict: GarbageVerdict, _ done: String, _ why: String) {
        let key = [verdict.item.name, done, why]
        if verdict.item.kind == .cgroup, let (row, more) = cgroups[key] {
            cgroups[key] = (row, more + 1)
            rows[row][0] = "cgroup \(abbreviated(verdict.item.name)) in \(more + 2) hierarchies"
            return
        }
        if verdict.item.kind == .cgroup { cgroups[key] = (rows.count, 0) }
        rows.append([
            "\(verdict.item.kindName) \(abbreviated(verdict.item.path))", verdict.age.map { age($0) } ?? "?",
            done, abbreviated(why),
        ])
    }

    var text: String { rows.isEmpty ? "" : table([["WHAT", "AGE", "", "WHY"]] + rows) }
}

/// One found item as a JSON line.
private struct Line: Encodable {
    let kind: String
    let path: String
    let age: Double?
    let outcome: String
    let reason: String

    init(_ verdict: GarbageVerdict, _ outcome: String, _ reason: String) {
        kind = verdict.item.kindName
        path = verdict.item.path
        age = verdict.age?.inSeconds
        self.outcome = outcome
        self.reason = reason
    }
}

/// A time on the command line, such as `90`, `30m`, `2h`, `1d`.
struct Age: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration

    init(duration: Duration) { self.duration = duration }

    init?(argument: String) {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let unit = argument.last.flatMap { units[$0] }
        guard let number = Double(unit == nil ? argument[...] : argument.dropLast()), number.isFinite, number >= 0,
            number * (unit ?? 1) <= 3_153_600_000
        else { return nil }
        duration = .seconds(number * (unit ?? 1))
    }

    var description: String { age(duration) }
    var defaultValueDescription: String { "1h" }
}
