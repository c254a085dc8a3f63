// SPDX-License-Identifier: Apache-2.0

/// Words that may take each other's place without changing a question.
struct Synonyms: Sendable {
    /// Where a stem's groups are listed.
    struct Range: Sendable, Equatable {
        var start: UInt16
        var count: UInt16
        static let none = Range(start: 0, count: 0)
    }

    static let shared = Synonyms()

    private(set) var ranges: [UInt64: Range] = [:]
    /// The numbers of the groups that each stem is in, ascending.
    private var groups: [UInt16] = []

    private init() {
        var memberships: [UInt64: [UInt16]] = [:]
        var group: UInt16 = 1
        for table in [Self.data, Self.everyday] {
            for word in table.tableWords {
                if word == [UInt8(ascii: ".")] {
                    group += 1
                } else {
                    // The generated table has stems, whose stems may be shorter; this one has words.
                    let stem = table.utf8Start == Self.data.utf8Start ? WordHash.of(word) : Stem.hash(word)
                    memberships[stem, default: []].append(group)
                }
            }
            group += 1
        }
        for (stem, numbers) in memberships {
            ranges[stem] = Range(start: UInt16(groups.count), count: UInt16(numbers.count))
            groups += numbers
        }
    }

    func areSynonyms(_ one: Range, _ two: Range) -> Bool {
        guard one.count > 0, two.count > 0 else { return false }
        for first in 0..<Int(one.count) {
            for second in 0..<Int(two.count)
            where groups[Int(one.start) + first] == groups[Int(two.start) + second] {
                return true
            }
        }
        return false
    }

    /// What WordNet does not have, or not among a word's commonest senses.
    static let everyday: StaticString = """
        kid kids child children . get got obtain acquire receive fetch . want wish need like require desire . big
        large huge . car automobile vehicle auto . film movie . doctor physician . tv television telly . purchase buy
        buying bought order . begin start began commence . help assist assistance aid support . located situated .
        picture photo photograph image . phone telephone mobile cell cellphone smartphone . money cash funds fund .
        problem problems issue trouble difficulty error . delete remove erase cancel clear . change modify edit update
        alter switch adjust . limit maximum cap . location place area spot . fee charge cost price . bill invoice .
        verify check confirm validate . verification identification check . accept support allow . created made make
        create set build . located found . find locate get see . rejected refused declined denied . reject refuse
        decline deny . stop terminate end quit cancel discontinue halt . abroad overseas . transaction payment
        purchase . transfer send wire . stolen robbed . lost missing misplaced . pending processing . currently now
        presently . kind type sort variety species . job work . employer boss . salary earnings income pay wage wages
        paycheck payroll . vacation holiday leave pto . gas fuel petrol gasoline . song track tune music . show
        display list . speak talk . message text sms . schedule plan arrange book . reserve book . meeting appointment
        . reply response answer . quick fast rapid soon . quicker faster . assistance help . amount total sum . number
        amount quantity . tell say give . explain describe . use using utilize . maybe perhaps . ensure insure . near
        close nearby . shop store . flat apartment . lift elevator . trip travel journey . meal dish food . lady woman
        . guy man . wage salary . id identity identification . max maximum . min minimum . think believe . know
        understand learn . name title . rating score . repair fix mend . reset recover restore . delivered shipped
        arrived deliver arrive ship . expire expiration . automatic auto . info information details . app application
        . pin passcode code . password passcode . atm cashpoint . topping top . usa america . uk britain . holland
        netherlands . bday birthday . cheque check . enable activate . use work function . mandatory required
        necessary needed . possible able . authorised authorized approved allowed . finished completed done . happen
        occur happening . mistake error wrong . extra additional . weird strange odd . supported accepted . recognise
        recognize . everywhere anywhere . someone somebody . everyone everybody . nobody none . happened occurred .
        various several multiple many . soon quickly . use used using . provide include offer . terminate delete close
        . inform notify alert tell . undo cancel revert . feature option function . anywhere wherever everywhere .
        acceptable allowed permitted . unusual unknown unrecognized unfamiliar strange . high exorbitant . correct
        right proper . valid accepted . new another replacement . entail involve contain include . hobby interest .
        balance amount . total amount . earn make . suggest recommend propose . meaning definition mean . spell
        spelling . restaurant diner . luggage baggage suitcase . airport terminal . hotel motel . stock share . song
        music . joke pun . timer countdown . shopping grocery . todo task chore . translate say . convert change .
        distance far . cold chilly . rain rainy . weather forecast . traffic congestion . insurance coverage . fraud
        fraudulent scam . replace replacement . ruin broken damage damaged . broken defective . raise increase boost .
        decrease lower reduce . nice cool great good alright fine . yearly annually annual . current present latest .
        quit abort exit . due owed . gone lost missing . close cancel delete terminate . protect secure . asap soon
        immediately urgently . significance importance . see view look . mayo mayonnaise . wage salary pay earn . mom
        mum mother . dad father . grandma grandmother . bike bicycle . plane airplane aircraft . fridge refrigerator .
        exam examination . ad advertisement . lab laboratory . math mathematics maths . gym gymnasium . vet
        veterinarian . sofa couch . rubbish trash garbage . autumn fall . footpath pavement sidewalk . queue line .
        holiday vacation . mobile cellular . biscuit cookie . happy glad . sad unhappy . angry mad . smart clever .
        ill sick . select choose pick . answer reply respond . finish end complete . ask inquire . permit allow .
        demand require . attempt try . discover find . reside live . construct build . educate teach . frequent often
        . entire whole . difficult hard . simple easy . rich wealthy . famous wellknown . write wrote written . sing
        sang sung . go went gone . come came . take took taken . give gave given . pay paid . sell sold . find found .
        lose lost . win won . know knew known . see saw seen . eat ate eaten . fly flew flown . hold held . keep kept
        . leave left . meet met . run ran . say said . spend spent . steal stole stolen . teach taught . tell told .
        think thought . understand understood . wear wore worn . break broke broken . choose chose chosen . speak
        spoke spoken . withdraw withdrew withdrawn . drive drove driven . grow grew grown . fall fell fallen . die
        died . do did done . catch caught . bring brought . feel felt . hear heard . ride rode ridden . rise rose
        risen . throw threw thrown . freeze froze frozen . draw drew drawn . forget forgot forgotten . fight fought .
        lead led . become became . fast quickly quick rapidly . js javascript . yes yeah yep yup . grateful thankful . giggle laugh . wait await . waiting awaiting . reverse revert . hello hi hey . bye goodbye . woman women . man men . person people . foot feet . mouse mice . wife wives . life
        lives
        """
}
