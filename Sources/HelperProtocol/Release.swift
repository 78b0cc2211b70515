/// The release of this program. The helper and the orchestrator are built from one source tree but may be upgraded
/// separately; the protocol's version decides whether they understand each other.
public enum Release {
    public static var version: StaticString { "0.1.0" }
}
