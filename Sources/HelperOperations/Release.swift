/// The helper's release, as Welcome tells it.
var release: StaticString { "0.1.0" }
