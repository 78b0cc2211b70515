/// Which release this is. The helper and the orchestrator are built from one tree but may be upgraded apart; that
/// they understand each other is for the protocol's version to say.
public enum Release {
    public static var version: StaticString { "0.1.0" }
}
