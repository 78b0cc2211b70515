internal import HelperProtocol

extension Place {
    /// The directory that holds the place's last component, reached from the root anew at every request: a root's
    /// descriptor kept from the start goes blind when something is mounted over the root.
    func openParent(in policy: Policy) throws(Outcome) -> Descriptor {
        do throws(Outcome) {
            let top = try policy.openRoot(of: self, .pathOfDirectory)
            return depth > 1 ? try top.open(parent.terminated, .pathOfDirectory) : top
        } catch {
            throw error.asResolution
        }
    }
}

extension Outcome {
    /// What a failed openat2(2) on the way to a place means.
    var asResolution: Outcome {
        switch errno {
        case ErrorNumber.noSystemCall: .refused(.kernelTooOld)
        case ErrorNumber.loop, ErrorNumber.crossDevice: .refused(.leavesRoot)
        case ErrorNumber.notDirectory: .refused(.notDirectory)
        default: self
        }
    }

    var isMissingEntry: Bool { errno == ErrorNumber.noEntry }
}
