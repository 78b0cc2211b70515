import Testing

@testable import HelperOperations

@Suite struct HooksTests {
    @Test(arguments: [
        (#"{"Hooks":{"poststop":null,"prestart":[{"path":"/x"}]}}"#, false),
        (#"{"Hooks":{"poststop":[],"prestart":null}}"#, false),
        (#"{"config":{"rootfs":"/r","Hooks":null}}"#, false), (#"{"config":{"rootfs":"/r"}}"#, false),
        (#"{"Hooks":{"poststop":[{"path":"/x"}]}}"#, true),
        ("{ \"hooks\" : {\n \"poststop\" :\t[ \n {\"path\":\"/x\"}]}}", true),
        ("{ \"poststop\": [ \n ], \"poststop\":[1]}", true),
        (#"{"annotation":"\"poststop\":[1]"}"#, false),
        (#"{"\u0070oststop":[1]}"#, true), (#"{"poststop":"[1]"}"#, false), ("", false), (#""""poststop":[1"#, true),
        (#"["poststop",[1]]"#, false), (#"{"a":"poststop","b":[1]}"#, false), (#"{"poststop":{"poststop":[1]}}"#, true),
    ])
    func poststopHooksAreFound(_ text: String, _ expected: Bool) {
        #expect(namesPoststopHook(Array(text.utf8), ifDamaged: !expected) == expected)
    }

    /// What is cut off or no JSON could go on with hooks, where the runtime can read it all the same.
    @Test(arguments: [#"{"poststop"#, #"{"poststop":["#, #"{"poststop":[/**/1]"#, "//"])
    func damage(_ text: String) {
        for answer in [false, true] { #expect(namesPoststopHook(Array(text.utf8), ifDamaged: answer) == answer) }
    }
}
