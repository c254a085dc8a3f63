// SPDX-License-Identifier: Apache-2.0

/// Words that turn a question round when one takes the place of the other.
struct Opposites: Sendable {
    /// A stem's place in the table; 0: it has no opposite.
    typealias Group = UInt16

    static let shared = Opposites()

    private(set) var groups: [UInt64: Group] = [:]
    private var pairs: Set<UInt32> = []

    private init() {
        for table in [Self.data, Self.everyday] {
            var head: Group = 0
            for word in table.tableWords {
                if word == [UInt8(ascii: ".")] {
                    head = 0
                    continue
                }
                let group = group(Stem.hash(word))
                if head == 0 {
                    head = group
                } else {
                    pairs.insert(Self.pair(head, group))
                }
            }
        }
    }

    private mutating func group(_ stem: UInt64) -> Group {
        if let known = groups[stem] { return known }
        let new = Group(groups.count + 1)
        groups[stem] = new
        return new
    }

    private static func pair(_ one: Group, _ two: Group) -> UInt32 {
        UInt32(min(one, two)) << 16 | UInt32(max(one, two))
    }

    func areOpposite(_ one: Group, _ two: Group) -> Bool {
        one != 0 && two != 0 && pairs.contains(Self.pair(one, two))
    }

    /// What WordNet does not have: trade, money, switches, places in an order, kinship. A word, its opposites, a full
    /// stop.
    static let everyday: StaticString = """
        credit debit . virtual physical . king queen . prince princess . son daughter . brother sister . born buried
        died dead . send receive . add remove delete . deposit withdraw . buy sell . purchase sell . lend borrow .
        forget learn remember . accept decline reject refuse . approve reject deny decline . activate deactivate .
        enable disable . freeze unfreeze . block unblock . lock unlock . subscribe unsubscribe . install uninstall .
        minimum maximum . min max . top bottom . early late . cheap expensive . big small little . large small . great
        small . biggest smallest . international domestic . foreign domestic . global local . online offline .
        incoming outgoing . upload download . login logout . import export . arrive depart leave . arrival departure .
        start stop end finish . begin end stop . open close shut . win lose . won lost . gain lose . join leave quit .
        pass fail . success failure . love hate . cause prevent . allow forbid prevent block . permit forbid .
        increase decrease reduce lower . raise lower . rise fall . up down . on off . before after . above below .
        over under . inside outside . left right . front back . north south . east west . northern southern . eastern
        western . high low . tall short . long short . old new young . hot cold warm . summer winter . spring autumn .
        day night . morning evening . more less fewer . most least fewest . best worst . better worse . good bad .
        first last . next previous last . latest earliest . newest oldest . fast slow . quick slow . easy hard
        difficult . full empty . public private . true false . correct wrong incorrect . right wrong . legal illegal .
        safe unsafe dangerous . positive negative . male female . man woman . men women . boy girl . husband wife .
        mother father . mom dad . uncle aunt . married divorced single . single double . create delete destroy . build
        destroy . connect disconnect . attach detach . show hide . include exclude . encrypt decrypt . compress
        decompress . push pull . pay refund . save spend delete . employ fire
        dismiss . hire fire . employer employee . landlord tenant . teacher student . doctor patient . buyer seller .
        lender borrower . winner loser . owner renter . parent child . attack defend . offense defense . war peace .
        life death . live die . alive dead . strong weak . heavy light . light dark . wet dry . clean dirty . rich
        poor . thick thin . wide narrow . deep shallow . loud quiet . sweet sour bitter . sugar salt . ascending
        descending . vertical horizontal . input output . read write . even odd . major minor . senior junior .
        superior inferior . internal external . interior exterior . temporary permanent . fixed variable . manual
        automatic . wired wireless . paid free unpaid . always never . same different . checkin checkout . debtor
        creditor . asset liability . profit loss . supply demand . export import . accepted rejected .
        sent received . bought sold sell . lent borrowed . began ended . rose fell . opened closed . born
        killed die died buried married . stolen found . sender recipient receiver . am pm . compiled interpreted . add drop . legal ilegal . войти выйти . открыть закрыть . desert dessert . billing shipping . within after . during before after . pre post . bc ad . always sometimes .
        everyone someone . everything something . every no . both neither . some none all . all none . few many
        most . average best worst . emigration immigration . emigrant immigrant . emigrated immigrated . sooner later .
        payee payer . systolic diastolic . proximal distal . viral bacterial . prone supine . oral topical . arteries
        veins . sympathetic parasympathetic . constipation diarrhea . departure landing . takeoff landing . aisle
        window . outbound inbound . receivable payable . principal interest . revenue expenses . income expenses .
        withdrawal deposit . depositing withdrawing . stocks bonds . prepaid postpaid . boil melt freeze . boiling
        melting freezing . push pop . client server . row column . merge split . expand collapse . undo redo .
        frontend backend . ally enemy . import export . commit revert . include exclude . earlier later . optional
        required mandatory . voluntary compulsory mandatory . allowed forbidden prohibited banned . permitted
        forbidden prohibited . joint individual . inhale exhale . gain shed . thank apologize . plus minus .
        numerator denominator . hypothesis conclusion . cause effect cure . causes effects . singular plural . host
        guest . predator prey . wholesale retail . upper lower . ancient modern . past future . maternal paternal .
        nephew niece . bride groom . actor actress . hero villain . winter summer . heat cool . lengthen shorten .
        pros cons . advantage disadvantage . benefits drawbacks risks . upstairs downstairs . clockwise
        counterclockwise anticlockwise . odd even . multiply divide . addition subtraction . multiplication division .
        ceiling floor . morning night . gained lost . increased decreased reduced . hired fired . accepted declined .
        approved declined rejected denied . raised lowered . liked disliked
        """

    /// Prefixes that turn what follows them round: those of a row take each other's place.
    static let prefixes: [[[UInt8]]] =
        ("""
    hypo=hyper inter=intra pre=post ante=post over=under micro=macro=milli=nano=mega in=out=ex up=down en=de ab=ad
    af=ef endo=exo eu=dys homo=hetero sub=super mono=poly maxi=mini on=off ein=aus an=ab auf=zu zu=ab вкл=выкл=откл
    под=от за=раз mono=di=tri uni=bi=multi front=back tachy=brady
    """ as StaticString).tableWords.map { $0.split(separator: UInt8(ascii: "=")).map(Array.init) }

    /// Endings that do so.
    static let endings: [[[UInt8]]] =
        ("er=ee or=ee in=out on=off up=down ful=less" as StaticString).tableWords.map {
            $0.split(separator: UInt8(ascii: "=")).map(Array.init)
        }
}
