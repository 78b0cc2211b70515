import TestNode
import TestPods

/// What is done to a node, one step after another, and what came of it.
struct History {
    let seed: UInt64
    /// Those that were possible, in their order.
    private(set) var operations: [Operation] = []
    private(set) var violations: [String] = []
    private(set) var script: [String] = []

    /// Makes a history up as it goes: the seed and what is possible on the node decide.
    init(seed: UInt64, on world: World) throws {
        self.seed = seed
        var random = Seeded(seed)
        let count = Int.random(in: 4...12, using: &random)
        try run(on: world) { (history, world) in
            for operation in Catalog.opening(&random) { try history.perform(operation, world) }
            while history.operations.count < count + 6, world.violations.isEmpty {
                let next =
                    switch Int.random(in: 0..<24, using: &random) {
                    case 0, 1: Catalog.remaking(&random)
                    case 2: Catalog.succession(&random)
                    default: [Catalog.all.choose(&random)]
                    }
                for operation in next { try history.perform(operation, world) }
            }
        }
    }

    /// Does some steps again.
    init(_ operations: [Operation], of history: History, on world: World) throws {
        seed = history.seed
        try run(on: world) { (history, world) in
            for operation in operations { try history.perform(operation, world) }
        }
    }

    private mutating func run(on world: World, _ body: (inout History, World) throws -> Void) throws {
        try world.begin(seed: seed)
        do {
            try body(&self, world)
            if world.violations.isEmpty { try world.measured("(last removals)") { try Endings.run(on: world) } }
        } catch {
            world.violations.append("the history cannot go on: \(error)")
        }
        let left = try world.measured("(cleaning)") { try world.end() }
        violations = world.violations + left
        script = world.script
    }

    private mutating func perform(_ operation: Operation, _ world: World) throws {
        guard world.violations.isEmpty, operation.isPossible(world) else { return }
        operations.append(operation)
        world.statistics.operations += 1
        world.statistics.made[operation.name, default: 0] += 1
        try world.measured(operation.name) { try operation.run(world) }
    }

    /// The shortest part of the history that breaks the promise too.
    func shortened(on world: World) throws -> History {
        let statistics = world.statistics
        defer { world.statistics = statistics }
        var shortest = self
        var isShorter = true
        let end = ContinuousClock.now + .seconds(90)
        while isShorter {
            isShorter = false
            for index in shortest.operations.indices.reversed()
            where index < shortest.operations.count && .now < end {
                var fewer = shortest.operations
                fewer.remove(at: index)
                let attempt = try History(fewer, of: self, on: world)
                guard !attempt.violations.isEmpty else { continue }
                shortest = attempt
                isShorter = true
            }
        }
        return shortest
    }

    /// What was broken; what is so in several hierarchies of cgroups, once.
    var problems: [String] {
        let hierarchy = /\/sys\/fs\/cgroup\/[a-z]+\/podreap-sample-[0-9]+/
        return Set(
            violations.map { $0.replacing(hierarchy, with: "$CG/*/$G").replacing(/[ ]\(inode [0-9]+\)/, with: "") }
        )
        .sorted()
    }

    var text: String {
        """
        seed \(seed):
        \(problems.map { "  BROKEN: \($0)" }.joined(separator: "\n"))
        The steps, with the node of Tests/Integration/ModelTests (N its directory, G the name of its cgroup in each hierarchy beneath CG):
        \(script.map { "    \($0.replacing("\n", with: "\n    "))" }.joined(separator: "\n"))
        """
    }
}
