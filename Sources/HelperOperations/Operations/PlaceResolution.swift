internal import HelperProtocol

extension Place {
    /// Opens the directory that holds the place's last component, resolved anew from the root for every request. A
    /// descriptor of the root kept since the start would not see a filesystem mounted over the root later.
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
    /// The outcome that a failed openat2(2) on the way to a place means.
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
