internal import CSELinux

/// libselinux, which only parses here: SELinux need not be enabled.
enum SELinux {
    /// The level of a context (context_new(3)); nil if the text is not a context, empty if the context has no level.
    static func level(ofContext text: String) -> String? {
        guard let context = unsafe context_new(text) else { return nil }
        defer { unsafe context_free(context) }
        guard let range = unsafe context_range_get(context) else { return "" }
        return unsafe String(cString: range)
    }
}
