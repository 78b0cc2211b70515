internal import HelperProtocol

/// The largest state file that is searched, in bytes.
private var stateFileLimit: Int { 4 << 20 }

extension Broker {
    /// Whether the runtime would run programs of the bundle after the deletion: under the runtime's filter they would be
    /// lost in silence. Unreadable is as good as yes.
    func hasPoststopHooks(_ target: RuntimeTarget, _ runtime: Policy.RuntimePolicy) throws(Outcome) -> Bool {
        try privileges.raised([.dacOverride]) { () throws(Outcome) -> Bool in
            let root = try Descriptor.absolute(runtime.seen.stateRoot.terminated, .pathOfDirectory)
            let directory = try root.open(target.id.bytes.terminated, .pathOfDirectory)
            // runc keeps the hooks in its state, crun in a copy of the bundle's configuration.
            let files: [StaticString] = ["state.json", "config.json"]
            for file in files {
                do throws(Outcome) {
                    let text = try directory.open(InlineBytes<256>(file).terminated, .file)
                    if namesPoststopHook(try text.readAll(limit: stateFileLimit)) { return true }
                } catch {
                    if !error.isMissingEntry { throw error }
                }
            }
            return false
        }
    }
}

/// Whether JSON text has a member `"poststop": [` that is not empty. Within a JSON string the quotes would be escaped,
/// so this cannot be part of one.
func namesPoststopHook(_ text: [UInt8]) -> Bool {
    var key: [UInt8] = []
    key.append("\"poststop\":[")
    var matched = 0
    for byte in text {
        switch byte {
        case 0x09, 0x0a, 0x0d, 0x20: continue
        case _ where matched == key.count:
            if byte != 0x5d { return true }
            matched = 0
        case key[matched]: matched += 1
        default: matched = byte == key[0] ? 1 : 0
        }
    }
    return false
}
