import ArgumentParser
internal import SandboxRegistry
internal import SandboxRemoval

struct Plan: RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Shows what remove would do, step by step. Changes nothing.",
        discussion: """
            With --from, as root, it shows the plan for a pod of CRI-O or containerd on this node that is not \
            registered. Such a pod has a name, too: NAME or NAMESPACE/NAME.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var foreign: ForeignOptions

    @Argument(help: "A sandbox's id, or the beginning of a 64-digit id, if no other begins with it.")
    var id: String

    /// Other runtimes keep their pods where only root can read.
    var staysRoot: Bool { foreign.from != nil }

    func run() throws {
        let plan = try self.plan()
        if common.json {
            for step in plan.steps { Stream.output.write(jsonLine(PlannedStep(step))) }
            return
        }
        if plan.isAfterReboot { complain("the machine was booted after this sandbox was registered") }
        var rows = [["STEP", "OF", "WHAT", "AFTER"]]
        for step in plan.steps {
            rows.append([
                "\(step.number)", plan.name(of: step), abbreviated(step.description), Self.list(step.dependencies),
            ])
        }
        Stream.output.write(table(rows))
    }

    private func plan() throws -> RemovalPlan {
        if foreign.from != nil {
            let discovery = try foreign.discover(for: "plan", of: id)
            for problem in discovery.problems { complain("note: \(problem)") }
            if let plan = try discovery.plan(of: id) {
                sayWhatWasMeant(id, plan.sandbox.id)
                return plan
            }
            throw RegistryError.unknownSandbox(id: id)
        }
        let orchestrator = try common.openWithoutHelper()
        let sandbox = try orchestrator.registry.require(id)
        guard let plan = try orchestrator.plan(sandbox.id) else { throw RegistryError.unknownSandbox(id: sandbox.id) }
        return plan
    }

    /// Formats numbers as `0-2,5`; `-` if there are none.
    private static func list(_ numbers: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for number in Set(numbers).sorted() {
            if let last = ranges.last, last.upperBound == number - 1 {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        if ranges.isEmpty { return "-" }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}

/// A step as a JSON line.
struct PlannedStep: Encodable {
    let number: Int
    let verb: String
    let subject: String
    let target: String
    let text: String
    let after: [Int]

    init(_ step: Step) {
        number = step.number
        verb = step.verb
        subject = step.subject.id
        target = step.target
        text = step.description
        after = step.dependencies
    }
}

extension RemovalPlan {
    /// The name of the step's container, or `sandbox`.
    func name(of step: Step) -> String {
        guard case .container(let id) = step.subject else { return "sandbox" }
        return containers.first { $0.id == id }?.name ?? shortened(id)
    }
}
