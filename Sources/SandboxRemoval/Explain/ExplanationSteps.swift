internal import HelperClient
internal import NodeObservation
internal import SandboxRegistry

// Findings about the last removal, and the assembly of the whole explanation.

extension Explanation {
    /// Makes the explanation. A pure function: the same facts always give the same explanation.
    public static func of(_ facts: PodFacts) -> Explanation {
        var findings = facts.stateFindings + facts.stepFindings
        let causes =
            facts.runtimeFindings + facts.processFindings + facts.filesystemFindings + facts.directoryFindings
            + facts.mountFindings
            + facts.namespaceFindings + facts.volumeFindings
        findings += causes.filter { $0.weight == .blocks } + facts.runtimeErrorFindings
        findings += causes.filter { $0.weight == .keeps }
        findings += causes.filter { $0.weight == .note }
        if let runtime = facts.runtime {
            // Once is enough to say how to ask the runtime again.
            for index in findings.indices where findings[index].remedies.count > 1 {
                findings[index].remedies.removeAll { $0 == facts.again }
            }
            let isBlocked = findings.contains { $0.weight == .blocks }
            if runtime.manager?.isStopped == false {
                findings.append(facts.runtimeState(runtime, isBlocked: isBlocked))
            }
        } else if !findings.contains(where: { $0.weight == .blocks }) {
            findings.append(facts.elsewhere)
        }
        if !facts.unseen.isEmpty {
            findings.append(
                Finding(
                    .unseen, .note, "not everything could be looked at", facts.unseen.map { Finding.Evidence($0) },
                    remedies: facts.isPrivileged ? [] : ["sudo podreap explain \(facts.sandbox.id)"]))
        }
        return Explanation(
            sandbox: facts.sandbox.id, pod: facts.sandbox.metadata.reservedName, findings: findings)
    }
}

extension PodFacts {
    var stateFindings: [Finding] {
        var findings: [Finding] = []
        if let worker, isWorkerStopped {
            findings.append(
                Finding(
                    .underWay, .blocks, "process \(worker) is working on it, and is stopped",
                    [Finding.Evidence("it holds the sandbox's lock, and everybody else waits", pid: worker)],
                    remedies: ["kill -CONT \(worker)", "kill -KILL \(worker); podreap remove \(sandbox.id.prefix(13))"])
            )
        } else if let worker {
            findings.append(
                Finding(
                    .underWay, .note, "process \(worker) is working on it right now; what follows may change",
                    [Finding.Evidence("it holds the sandbox's lock", pid: worker)]))
        }
        if isAfterReboot {
            findings.append(
                Finding(
                    .afterReboot, .note,
                    "the machine was booted after it was registered: its processes, mounts and namespaces are gone; its directories and names are left",
                    remedies: [again]))
        }
        if runtime == nil, sandbox.state == .ready, report == nil, worker == nil {
            findings.append(
                Finding(
                    .notAsked, .note, "nobody has asked podreap to stop or remove it",
                    remedies: ["podreap remove \(sandbox.id)"]))
        }
        return findings
    }

    /// The steps of the last removal that failed.
    var stepFindings: [Finding] {
        guard let report, report.outcome == .incomplete else { return [] }
        return report.failures.map { step in
            let meaning = meaning(of: step)
            var evidence = [Finding.Evidence(step.detail ?? "it failed", path: step.path)]
            if let meaning { evidence.append(Finding.Evidence("that means: \(meaning.text)")) }
            let skipped = report.steps.count { $0.outcome == .skipped }
            if skipped > 0, step == report.failures.last {
                let steps = count(skipped, "step was", "steps were")
                evidence.append(Finding.Evidence("\(steps) not tried, because the failed step has to come first"))
            }
            let isImmutable = step.cause?.rule == "immutableEntry"
            return Finding(
                isImmutable ? .immutableEntry : .failedStep, .blocks, of: subject(step.subject), words(for: step),
                evidence, remedies: [meaning?.remedy].compactMap { $0 } + wayOut(of: step) + [again])
        }
    }

    /// What is safe if it cannot be known whether a container lives: root looks at every process first, and no process
    /// is signalled.
    private func wayOut(of step: StepRecord) -> [String] {
        step.cause?.kind == .unknownLife ? ["sudo podreap remove \(sandbox.id) --assume-dead"] : []
    }

    /// A failed step as a sentence.
    private func words(for step: StepRecord) -> String {
        let target = printable(step.target)
        return switch step.verb {
        case "end": "its processes did not end"
        case "delete": "\(target) did not delete the container"
        case "unmount": "\(target) could not be unmounted"
        case "remove-directory": "the directory \(target) could not be removed"
        case "remove-cgroups": "the pod's own cgroup could not be removed"
        case "delete-namespace": "the namespace pinned at \(target) could not be deleted"
        case "mark", "mark-stopped", "release-name", "forget": "the registry could not be written"
        default: "the step \(step.verb) failed"
        }
    }

    private func meaning(of step: StepRecord) -> ErrorMeaning? {
        guard let cause = step.cause else { return nil }
        let place = [step.target, cause.place ?? ""].filter { !$0.isEmpty }.joined(separator: "/")
        switch cause.kind {
        case .failed:
            return cause.errno.flatMap { ErrorMeaning.of($0, call: cause.call ?? "", path: place) }
        case .refused: return Self.meaning(ofRule: cause.rule ?? "", step.target)
        case .timedOut:
            return ErrorMeaning("it took longer than a step may: a large tree, a slow disk, or a filesystem that hangs")
        case .outsidePolicy:
            return ErrorMeaning(
                "helper.conf does not give podreap this place", "add a root to /etc/podreap/helper.conf; podreap doctor"
            )
        case .helper: return ErrorMeaning("the helper could not do its part", "podreap doctor")
        case .registry: return ErrorMeaning("everything else is done, and will not be done again", "podreap doctor")
        case .runtime:
            return ErrorMeaning("the runtime itself said so; what it says of the container:", "\(sandbox.runtime) list")
        case .observation: return nil
        case .unknownLife:
            return UnknownLife(rawValue: cause.rule ?? "").map { ErrorMeaning($0.meaning, $0.remedy) }
        }
    }

    private static func meaning(ofRule rule: String, _ target: String) -> ErrorMeaning? {
        switch rule {
        case "immutableEntry":
            ErrorMeaning(
                "someone has set the immutable or append-only flag, which stops even root's rm; all else is removed",
                "lsattr -R \(quoted(target)) | grep -e '-i-' -e '-a-'; chattr -R -i -a \(quoted(target))")
        case "mountBeneath":
            ErrorMeaning(
                "mounts come back as fast as they are detached: find what mounts them", "findmnt -R \(quoted(target))")
        case "identityMismatch":
            ErrorMeaning(
                "something else replaced what was registered, and is not touched", "ls -lid \(quoted(target))")
        case "leavesRoot":
            ErrorMeaning(
                "a symbolic link or a mount lies on the way from helper.conf's root", "namei -l \(quoted(target))")
        case "notNamespace", "wrongNamespaceKind":
            ErrorMeaning("something else has that name now", "stat -f \(quoted(target)); ls -l \(quoted(target))")
        case "hooksNotAllowed":
            ErrorMeaning(
                "the bundle's poststop hooks would be lost, so the container is left",
                "add `hooks` to the runtime's line in /etc/podreap/helper.conf")
        case "unknownRoot", "wrongRootKind", "wrongDepth", "nameNotAllowed", "unknownRuntime", "missingCapability",
            "kernelTooOld":
            ErrorMeaning("the installation does not allow it", "podreap doctor")
        default: nil
        }
    }

    /// The finding for when nothing on this node is the cause.
    var elsewhere: Finding {
        let pod = sandbox.metadata
        let name = "-n \(quoted(pod.namespace)) \(quoted(pod.name))"
        return Finding(
            .elsewhere, .note,
            "nothing on this node keeps the sandbox; if Kubernetes still shows the pod as Terminating, ask the cluster",
            [
                Finding.Evidence("finalizers keep a pod's record until their controllers have removed them"),
                Finding.Evidence("the kubelet keeps a pod until its volumes are unmounted and detached"),
            ],
            remedies: [
                "kubectl get pod \(name) -o jsonpath='{.metadata.finalizers} {.metadata.deletionTimestamp}'",
                "kubectl get volumeattachments; journalctl -u kubelet | grep \(quoted(pod.uid))",
            ])
    }
}

extension StepRecord {
    var path: String? { target.first == "/" ? target : nil }
}
