import Foundation
import HelperProtocol
import TestNode
import Testing

/// The shipped helper with an allocator that counts. It runs as root, without file capabilities: with them nothing can be preloaded.
private final class CountedHelper {
    let helper: TestHelper
    private let counter: String

    init() throws {
        try TestNode.shared()
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "allocations.c").path()
        counter = "/mnt/allocations"
        try shell(
            """
            gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o /mnt/allocations.so '\(source)'
            head -c 4096 /dev/zero >\(counter)
            cp \(TestNode.helper) /mnt/helper-without-capabilities
            """)
        var start = ProgramStart("/mnt/helper-without-capabilities")
        start.environment = ["LD_PRELOAD=/mnt/allocations.so", "ALLOCATIONS=\(counter)"]
        helper = try TestHelper(start)
        // Parsing the policy and making filters takes thousands: a count that stays 0 would count nothing.
        try #require(try count() > 100)
    }

    private func count() throws -> Int {
        try Data(contentsOf: URL(filePath: counter)).prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// Allocations for the second request of three: the first may take what later ones use again.
    func allocations(
        expecting outcome: Outcome, _ request: Request, prepare: () throws -> Void = {}
    ) throws -> Double {
        var counts: [Int] = []
        for _ in 0..<3 {
            try prepare()
            let before = try count()
            let answer = try helper.ask(request)
            #expect(answer.outcome == outcome, "\(answer.reply)")
            counts.append(try count() - before)
        }
        #expect(counts[1] == counts[2])
        return Double(counts[1])
    }
}

@Suite(.serialized) struct AllocationTests {
    private let root = TestNode.sandboxes

    @Test func mountsAndNamespaces() throws {
        let counted = try CountedHelper()
        let directory = "\(root)/mounted"
        let place = try Place.at(TestNode.Root.sandboxes, "mounted")
        try Thresholds.check(
            try counted.allocations(expecting: .done, .unmount(place, .act(only: nil))) {
                try shell("mkdir -p \(directory) && mount -t tmpfs cost \(directory)")
            }, "allocations-per-unmount")
        try Thresholds.check(
            try counted.allocations(expecting: .alreadyDone, .unmount(place, .act(only: nil))),
            "allocations-per-unmount")
        let pin = "\(TestNode.netns)/sample-cost"
        try Thresholds.check(
            try counted.allocations(
                expecting: .done, .deleteNamespace(.at(TestNode.Root.netns, "sample-cost"), .act(only: nil))
            ) {
                try shell("touch \(pin) && unshare --net=\(pin) true")
            }, "allocations-per-namespace-deletion")
    }

    /// As many as it has in one directory, or in directories within directories: memory is taken for neither.
    @Test(arguments: [
        "touch f", "touch $(seq 5000)", "mkdir $(seq 500)", "mkdir -p 1/2/3/4/5/6/7/8/9/10/11/12 && touch 1/2/f",
    ])
    func trees(_ script: String) throws {
        let counted = try CountedHelper()
        let request = Request.remove(try .at(TestNode.Root.sandboxes, "cost"))
        try Thresholds.check(
            try counted.allocations(expecting: .done, request) {
                try shell("mkdir \(root)/cost && cd \(root)/cost && \(script)")
            }, "allocations-per-directory-removal")
    }

    @Test func runtimeCalls() throws {
        let counted = try CountedHelper()
        let target = RuntimeTarget(runtime: TestNode.Runtime.runc, id: try ContainerID(Array("cost".utf8)))
        try Thresholds.check(
            try counted.allocations(expecting: .alreadyDone, .runtimeState(target)), "allocations-per-state-of-nothing")
        let container = try TestContainer("cost", stateRoot: "/mnt/node/runc")
        defer { container.destroy() }
        try Thresholds.check(
            try counted.allocations(expecting: .done, .runtimeState(target)), "allocations-per-runtime-call")
    }
}
