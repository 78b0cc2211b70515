import TestPods
import Testing

/// Removals and stops of real pods, by the unprivileged user, that are killed at each of their steps.
@Suite(.serialized) struct CrashMatrixTests {
    /// The next call ends clean, and nothing but the sandbox that was asked for goes, whatever is killed when.
    @Test(arguments: ["remove", "stop"]) func endsCleanAfterAnyCrash(_ purpose: String) async throws {
        try await withPodNode { node in
            let matrix = try await CrashMatrix(node, purpose)
            for step in matrix.steps {
                for crash in Crash.allCases {
                    let problems = try await matrix.run(step, crash)
                    #expect(problems == [], "\(purpose), \(step.name), \(crash.rawValue)")
                }
            }
            print(matrix.table)
            #expect(matrix.steps.count >= (purpose == "remove" ? 14 : 5))
        }
    }
}
