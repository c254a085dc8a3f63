// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct QuestionTextTests {
    @Test(arguments: [
        ("How do I reset my password?", "how do i reset my password"),
        ("HOW DO I RESET MY PASSWORD ?!", "how do i reset my password"),
        ("“Where’s my card?”", "where is my card"),
        ("What's up with alzheimer's?", "what is up with alzheimer's"),
        ("I can't, won't and cannot", "i can not will not and can not"),
        ("whats wrong, i dont know and im late", "what is wrong i do not know and i am late"),
        ("Can I've my money?", "can i have my money"),
        ("the dog's bone", "the dog's bone"),
        ("from 1,000 to 2,000,000 dollars", "from 1000 to 2000000 dollars"),
        ("1,2,3 and 1,99", "1 2 3 and 1 99"),
        ("at two:30 or twenty-one", "at 2:30 or 21"),
        ("twenty one cards, one account", "21 cards one account"),
        ("is 3.5 > -5 and .5?", "is 3.5 > -5 and .5"),
        ("a != b in C++ and C#", "a != b in c++ and c#"),
        ("¿Dónde está mi tarjeta?", "dónde está mi tarjeta"),
        ("密码怎么重置？", "密码怎么重置"),
        ("What is 2 * (3 + 4)?", "what is 2 * ( 3 + 4"), ("(roughly) all of (them)", "roughly all of them"),
        ("What is 5!? And n!", "what is 5! and n!"), ("I can! At once!", "i can at once"),
        ("6' or 6\" or 5'10\"", "6' or 6\" or 5'10\""), ("who wrote \"1984\" and '1984'?", "who wrote 1984 and 1984"),
        ("an AA- or BBB- rating, type O-", "an aa- or bbb- rating type o-"), ("what- ever - now", "what ever - now"),
        ("10 - 2, 10 : 2", "10 - 2 10 : 2"), ("- what is it - thanks", "what is it"),
        ("ls -a --all -what", "ls -a --all what"),
        (".NET and ...net", ".net and net"), ("-.5", "-.5"), ("f'(x)", "f' x"),
        ("5‰ of 5％ of ٪", "5‰ of 5% of %"), ("٣٥ and １２ and १२", "35 and 12 and 12"), ("3 × 4 ÷ 2", "3 * 4 / 2"),
    ])
    func `case, punctuation, contractions and numbers are folded`(_ given: String, _ expected: String) throws {
        #expect(try folded(given) == expected)
    }

    @Test(arguments: [
        "Please tell me, how do I reset my password?", "could you tell me how do i reset my password",
        "Hi there, how do I reset my password?", "hello how do I reset my password, please?",
        "How do I reset my password? Thanks in advance!", "Quick question: how do I reset my password?",
        "I would like to know how do I reset my password", "I'd like to know: how do I reset my password??",
        "Hey! Please, can you tell me how do I reset my password? Thank you very much.",
        "Bitte, how do I reset my password? Danke!",
    ])
    func `polite words around a question go`(_ given: String) throws {
        #expect(try folded(given) == "how do i reset my password")
    }

    @Test(arguments: [
        ("Thank you!", "thank you"), ("please", "please"), ("Hello?", "hello"), ("Please tell me", "tell me"),
        ("hello world in python", "hello world in python"), ("Hi! There was a fee", "there was a fee"),
        ("how to say hello in french", "how to say hello in french"),
        ("What is the French word for thank you?", "what is the french word for thank you"),
        ("Was bedeutet danke?", "was bedeutet danke"), ("the meaning of gracias", "the meaning of gracias"),
        ("please in French", "please in french"), ("thank you in Spanish", "thank you in spanish"),
        ("do you know python", "do you know python"),
        ("What is it good for? Thanks!", "what is it good for"), ("Do you know what it is?", "what it is"),
        ("well water quality", "well water quality"), ("???", "???"), ("¡¡ !!", "¡¡ !!"),
    ])
    func `something is always left, and what is no politeness stays`(_ given: String, _ expected: String) throws {
        #expect(try folded(given) == expected)
    }

    @Test(arguments: [
        ("What is 2 * (3 + 4)?", "What is 2 * 3 + 4?"), ("What is 5!?", "What is 5?"),
        ("What is 10 - 2?", "What is 10 : 2?"), ("How long is 6' in cm?", "How long is 6\" in cm?"),
        ("What does an AA- rating mean?", "What does an AA rating mean?"), ("blood type O-", "blood type O"),
        ("a grade A-", "a grade A"), ("What is .NET?", "What is net?"),
        ("What is the French word for thank you?", "What is the French word for please?"),
        ("What is the meaning of gracias?", "What is the meaning of merci?"),
        ("Was bedeutet danke?", "Was bedeutet bitte?"), ("what is 5‰ of it", "what is 5 of it"),
        ("what is 5％ of it", "what is 5 of it"), ("what is -.5 + 1", "what is .5 + 1"),
        ("what does ? mean in regex", "what does ! mean in regex"), ("what does :) mean", "what does :( mean"),
        ("what does ' do in bash", "what does \" do in bash"), ("what does ... do", "what does do"),
        ("f'(x)", "f''(x)"),
    ])
    func `what is asked is not folded away`(_ one: String, _ other: String) throws {
        #expect(try folded(one) != folded(other))
    }

    @Test func `a long text is folded in its case only`() throws {
        let long = String(repeating: "Please DON'T! ", count: 200)
        #expect(try folded(long) == String(repeating: "please don't! ", count: 200).dropLast())
    }

    @Test func `folding a folded text changes nothing`() throws {
        let pieces = [
            "Hi", "hello,", "please", "Tell me", "thanks!", "thank", "you", "can't", "cant", "n't", "'s", "what's",
            "-5", "--",
            "1,000", "1,000,0000", "two", "twenty", "one", "twenty-one", "two:30", "two/24", "''", "!=", "!", "?!",
            "...",
            "(a)", "[b", "\"", "`", "ß", "İ", "Ω", "“x”", "👩‍💻", "שלום", "c++", "$5", "5%", "a.b", ".5", "-.5", "'tis",
            "could", "so", "well,", "bitte", "je", "d'avance", "merci", "K", "dont't", "i'd", "who'd", "'", "ok",
            "(", ")", "6'", "6\"", "5!", "n!", "AA-", "O-", ":", "-", "-a", "--all", ".net", "*", "+", "f'", "٣", "％",
            "”",
            "for", "says", "does", "symbol", ":)", "{", ";", ",", "in", "mean", "-2", "[1]",
        ]
        var generator = SplitMix(state: 8)
        for _ in 0..<60_000 {
            let count = Int(generator.next() % 9) + 1
            let text = (0..<count).map { _ in pieces[Int(generator.next() % UInt64(pieces.count))] }
                .joined(separator: generator.next() % 4 == 0 ? "" : " ")
            let once = try folded(text)
            let twice = try folded(once)
            #expect(twice == once, "\(text)")
            #expect(!once.isEmpty)
        }
    }

    @Test(arguments: hostileTexts)
    func `hostile texts are folded without harm`(_ text: String) throws {
        let prompt = try CanonicalPrompt(text)
        let once = QuestionText.normalised(prompt)
        #expect(QuestionText.normalised(once) == once)
    }
}

func folded(_ text: String) throws -> String {
    QuestionText.normalised(try CanonicalPrompt(text)).text
}

/// Texts that nobody asks: long words, many words, signs, joined emoji, right to left, control characters.
let hostileTexts = [
    String(repeating: "a", count: 65_000), String(repeating: "a ", count: 30_000),
    String(repeating: "'", count: 2_000),
    String(repeating: "please ", count: 290), String(repeating: "1,", count: 1_000),
    String(repeating: "two-", count: 500), String(repeating: "👩‍💻", count: 180),
    String(repeating: "مرحبا ", count: 180), String(repeating: "\u{1}\u{7f}", count: 1_000),
    String(repeating: "İ", count: 1_000), String(repeating: "K", count: 700), String(repeating: "-", count: 2_048),
    // The last piece is several words, of which not all have room.
    String(repeating: "a ", count: 255) + "5kg b", String(repeating: "a ", count: 255) + "$5kg b",
    String(repeating: "a ", count: 254) + "$5kg b", String(repeating: "a ", count: 255) + "5k 5% x!",
    String(repeating: "5'10\" ", count: 300), String(repeating: "( 5 ) ", count: 200),
    String(repeating: "ii ", count: 300),
]

/// A small generator of numbers, the same in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
