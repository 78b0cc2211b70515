/// Where the policy is, fixed when the helper is built. Only root may name another path, as the only argument.
let policyPath: StaticString = "/etc/podreap/helper.conf"
