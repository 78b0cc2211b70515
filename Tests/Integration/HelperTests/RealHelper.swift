import Testing

/// Every test of a real helper, one after the other: they measure time, fill filesystems and start many processes.
@Suite(.serialized) struct RealHelper {}
