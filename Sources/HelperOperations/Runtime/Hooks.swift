internal import HelperProtocol

extension Broker {
    /// Whether the runtime would run programs of the bundle after the deletion. Under the runtime's filter they would
    /// fail silently. True if `config.json` cannot be parsed.
    func hasPoststopHooks(_ target: RuntimeTarget, _ runtime: Policy.RuntimePolicy) throws(Outcome) -> Bool {
        try privileges.raised([.dacOverride]) { () throws(Outcome) -> Bool in
            let root = try runtime.openStateRoot()
            let directory = try root.open(target.id.bytes.terminated, .pathOfDirectory)
            // runc keeps the hooks in its state; crun keeps them in a copy of the bundle's configuration. A state that
            // runc cannot read has no hooks; crun accepts more text as JSON than the standard does.
            if let text = try directory.stateFile("state.json"), namesPoststopHook(text, ifDamaged: false) {
                return true
            }
            guard let text = try directory.stateFile("config.json") else { return false }
            return namesPoststopHook(text, ifDamaged: true)
        }
    }
}

/// Whether JSON text contains, at any depth, a member `poststop` whose value is a non-empty array.
func namesPoststopHook(_ text: [UInt8], ifDamaged: Bool) -> Bool {
    var json = JSON(text)
    do throws(JSON.Damage) {
        while let token = try json.token() {
            // Each of the eight letters takes one to six bytes, as it may be escaped.
            guard case .string(let name) = token, (8...48).contains(name.count),
                try json.text(name).equals("poststop"), try json.token() == .colon, try json.token() == .open(0x5b)
            else { continue }
            guard let first = try json.token() else { return ifDamaged }
            if first != .close(0x5d) { return true }
        }
        return false
    } catch {
        return ifDamaged
    }
}
