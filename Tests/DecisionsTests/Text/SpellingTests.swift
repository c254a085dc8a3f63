// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Decisions

@Suite struct SpellingTests {
    private func isAlike(_ one: String, _ other: String) -> Bool {
        let comparison = Comparison(Wording(one), Wording(other))
        return comparison.askedOpen.isEmpty && comparison.storedOpen.isEmpty && comparison.opposites == 0
    }

    @Test(arguments: [
        ("organization", "organisation"), ("colour", "color"), ("travelling", "traveling"), ("theatre", "theater"),
        ("licence", "license"), ("withdraw", "withdrawal"), ("refund", "refnud"), ("february", "febuary"),
        ("verify", "verification"), ("café", "cafe"), ("naïve", "naive"), ("gray", "grey"), ("january", "jan"),
        ("überweisen", "überweisung"), ("saving", "savings"), ("usa", "america"), ("covid19", "covid-19"),
    ])
    func `spellings of one word are that word`(_ one: String, _ other: String) {
        #expect(isAlike(one, other))
        #expect(isAlike(other, one))
    }

    @Test(arguments: [
        ("hypotension", "hypertension"), ("hypoglycemia", "hyperglycemia"), ("hypothermia", "hyperthermia"),
        ("emigration", "immigration"), ("ipv4", "ipv6"), ("gpt3", "gpt4"), ("http2", "http3"), ("payee", "payer"),
        ("interviewer", "interviewee"), ("lessor", "lessee"), ("niger", "nigeria"), ("mali", "malawi"),
        ("gambia", "zambia"), ("ethane", "methane"), ("prednisone", "prednisolone"), ("einschalten", "ausschalten"),
        ("anmelden", "abmelden"), ("включить", "выключить"), ("٣٥", "٤٥"), ("activar", "desactivar"),
        ("activer", "désactiver"), ("sperren", "entsperren"), ("typical", "atypical"), ("prenatal", "postnatal"),
        ("intracellular", "intercellular"), ("overweight", "underweight"), ("contact", "contract"), ("form", "from"),
        ("login", "logout"), ("inbound", "outbound"), ("afferent", "efferent"), ("conserve", "converse"),
        ("million", "billion"), ("personal", "personnel"),
    ])
    func `words that look alike and are others stay others`(_ one: String, _ other: String) {
        #expect(!isAlike(one, other))
        #expect(!isAlike(other, one))
    }
}
