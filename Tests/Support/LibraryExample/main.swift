// A runtime of one file: registers a pod from a document, shows what its removal takes, and removes it.
//
//     library-example REGISTRY HELPER DOCUMENT
import Foundation
import SandboxRegistry
import SandboxRemoval

guard CommandLine.arguments.count == 4 else {
    print("usage: library-example REGISTRY HELPER DOCUMENT")
    exit(2)
}
let orchestrator = try Orchestrator(path: CommandLine.arguments[1], helper: CommandLine.arguments[2])
let document = try RegistrationDocument(json: Data(contentsOf: URL(filePath: CommandLine.arguments[3])))

let registration = try await orchestrator.register(document)
for warning in registration.warnings { print("warning:", warning) }

if let plan = try orchestrator.plan(registration.sandbox.id) {
    for step in plan.steps { print("will", step) }
}

let answer = try await orchestrator.remove(registration.sandbox.id) { event in
    if case .finished(let step, let record) = event { print(record.outcome, step) }
}
switch answer {
case .finished(let report, _):
    // What failed has its reason; the next call goes on with it.
    for step in report.failures { print("left:", step.verb, step.target, step.detail ?? "") }
    exit(report.outcome == .removed ? 0 : 1)
case .unknown(let id, _):
    print(id, "is not registered: nothing to do")
}
