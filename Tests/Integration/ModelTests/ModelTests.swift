import Foundation
import TestNode
import TestPods
import Testing

/// Random histories against a model of podreap's promise: removed means that nothing of the pod is left, and nothing else was touched.
///
/// `make model` runs fresh seeds: SECONDS=3600 says how long, SEED=n repeats one. A history that breaks the promise is shown as a script,
/// as short as it can be made.
@Suite(.serialized) struct ModelTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }
    private static let seconds = number("PODREAP_MODEL_SECONDS").map { Double($0) }
    private static let seed = number("PODREAP_MODEL_SEED")
    /// Whether a fault was planted: the first seeds that find it are enough.
    private static let isFaulty = number("PODREAP_MODEL_FAULTY") != nil
    /// How many seeds `make test` runs: about half a minute on each cgroup version.
    private static let fixed: UInt64 = number("PODREAP_MODEL_HISTORIES") ?? 34

    /// How many seeds that break the promise end the test on one filesystem.
    private static let enough = isFaulty ? 1 : seconds == nil ? 3 : 10

    /// Even seeds on a tmpfs, odd ones on ext4, where the inode of what was removed comes again at once.
    private static let places = [(base: "/mnt/pods", first: UInt64(0)), (base: "/mnt/ext4/pods", first: UInt64(1))]

    @Test func thePromiseHolds() async throws {
        let first = Self.seconds == nil || Self.isFaulty ? 0 : 2 * UInt64.random(in: 1_000_000..<UInt64.max / 4)
        var statistics = Statistics()
        var isBroken = false
        for place in Self.places where Self.seed.map({ $0 % 2 == place.first }) ?? true {
            try await withPodNode(base: place.base) { node in
                let world = try World(node)
                world.statistics = statistics
                isBroken = try run(on: world, from: Self.seed ?? first + place.first)
                statistics = world.statistics
            }
            if Self.isFaulty, isBroken { break }
        }
        print(statistics.description)
        print("model: \(statistics.summary), \(Cgroups.shown)")
        expectUsefulAnswers(statistics)
    }

    /// Whether the promise was broken.
    private func run(on world: World, from first: UInt64) throws -> Bool {
        let end = ContinuousClock.now + .seconds((Self.seconds ?? 0) / 2)
        var (seed, broken) = (first, 0)
        repeat {
            var history = try History(seed: seed, on: world)
            if !history.violations.isEmpty {
                broken += 1
                if !Self.isFaulty, Self.seed == nil || Self.number("PODREAP_MODEL_WHOLE") == nil {
                    history = try history.shortened(on: world)
                }
                print("make model SEED=\(seed) repeats this:\n\(history.text)")
                Issue.record("seed \(seed): \(history.problems.joined(separator: "; "))")
            } else if Self.seed != nil {
                print(history.text)
            }
            seed += 2
        } while Self.seed == nil && broken < Self.enough
            && (Self.seconds == nil ? seed < Self.fixed : .now < end)
        return broken > 0
    }

    /// Safety alone would hold for a podreap that never does anything. Where a person has ended what the answer names, and it is incomplete
    /// still, the promise is broken: see `Endings`.
    private func expectUsefulAnswers(_ statistics: Statistics) {
        guard Self.seed == nil, !Self.isFaulty else { return }
        #expect(statistics.unknownShare <= 0.05, "unknown whether a container lives: \(statistics.unknownShare)")
        #expect(statistics.share("incomplete", of: statistics.outcomes) <= 0.25)
        #expect(Double(statistics.helped.count) <= 0.20 * Double(statistics.endings.values.reduce(0, +)))
    }
}
