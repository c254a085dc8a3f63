// SPDX-License-Identifier: Apache-2.0

/// Common words that name one of a kind: put another of its kind in its place, and the question is another one.
/// Rare names need no list.
enum WordKind: UInt8, CaseIterable, Sendable {
    case none, unit, day, month, season, place, people, currency, colour, brand, animal, sport, product, kin, food, code

    private var names: StaticString {
        switch self {
        case .none: ""
        case .unit: "millennium fortnight fahrenheit celsius kelvin"
        case .day:
            """
            monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight weekend morning
            afternoon evening noon midnight
            """
        case .month:
            """
            january february march april june july august september october november december jan feb apr jun jul aug
            sep sept oct nov dec
            """
        case .season: "summer winter autumn spring christmas easter thanksgiving halloween"
        case .place:
            """
            america usa england scotland wales ireland britain uk france germany spain portugal italy greece turkey
            russia ukraine poland hungary austria switzerland belgium netherlands holland denmark sweden norway
            finland iceland romania bulgaria serbia croatia czechia egypt israel iran iraq syria jordan arabia dubai
            india pakistan bangladesh china japan korea taiwan thailand vietnam indonesia malaysia singapore
            philippines australia zealand canada mexico cuba jamaica brazil argentina chile peru colombia venezuela
            uruguay kenya nigeria ethiopia ghana morocco algeria africa europe asia california texas florida york
            alaska hawaii oregon nevada arizona idaho montana colorado utah washington georgia virginia carolina
            alabama mississippi louisiana tennessee kentucky ohio michigan indiana illinois iowa missouri kansas
            oklahoma nebraska dakota wisconsin minnesota maine vermont massachusetts connecticut maryland delaware
            pennsylvania london paris berlin rome madrid vienna prague moscow athens dublin lisbon amsterdam brussels
            stockholm oslo helsinki budapest warsaw istanbul cairo tokyo beijing shanghai mumbai delhi bangkok sydney
            melbourne toronto montreal vancouver chicago boston dallas houston austin denver phoenix seattle portland
            miami orlando atlanta tampa philadelphia baltimore detroit nashville memphis cleveland milwaukee york
            angeles vegas francisco diego kong jersey
            """
        case .people:
            """
            english french german spanish italian portuguese dutch swedish norwegian danish finnish russian polish
            hungarian greek turkish arabic hebrew chinese mandarin japanese korean hindi latin irish scottish welsh
            american british canadian australian mexican brazilian indian african european asian roman ottoman mongol
            norman christian muslim islam judaism christianity buddhism hinduism catholic protestant republican
            democrat
            """
        case .currency:
            """
            usd eur gbp jpy inr aud cad chf cny nzd sek nok dkk rub mxn brl krw
            """
        case .colour: "red blue green yellow orange purple pink black white brown grey gray gold silver violet"
        case .brand:
            """
            amazon apple google microsoft facebook twitter instagram linkedin whatsapp youtube netflix uber lyft tesla
            ford toyota honda bmw nissan samsung nokia sony visa mastercard amex discover paypal chase starbucks
            walmart spotify airbnb delta intel nike
            """
        case .animal:
            "dog cat horse cow pig sheep lion tiger bear elephant wolf fox rabbit mouse snake bird fish monkey"
        case .sport: "football baseball basketball soccer hockey tennis golf rugby cricket volleyball boxing"
        case .product: "checking savings saving loan mortgage insurance pension"
        case .kin: "mother father brother sister son daughter wife husband uncle aunt cousin grandmother grandfather"
        case .food:
            "coffee tea beer wine milk water bread rice pasta pizza chicken beef pork apple banana potato tomato"
        case .code: "python java javascript ruby rust swift scala kotlin perl php golang typescript"
        }
    }

    /// Every name with its kind. "may" is left out: it more often is a verb.
    static let table: [(kind: WordKind, word: [UInt8])] = allCases.flatMap { kind in
        kind.names.tableWords.map { (kind, $0) }
    }

    /// What two words together are compared as.
    static let phrases: [[UInt8]] =
        ("""
    usa=united_states uk=united_kingdom atm=cash_machine
    """ as StaticString).tableWords
}

/// Names of units; those of one row are one unit. "second" alone is an ordinal.
enum Units {
    static let table: [[[UInt8]]] =
        ("""
    seconds=sec=secs minute=minutes=min=mins hour=hours=hr=hrs day=days week=weeks month=months year=years=yr=yrs
    decade=decades century=centuries millimeter=millimeters=millimetre=millimetres=mm
    centimeter=centimeters=centimetre=centimetres=cm meter=meters=metre=metres
    kilometer=kilometers=kilometre=kilometres=km mile=miles inch=inches foot=feet=ft yard=yards
    milligram=milligrams=mg gram=grams=g kilogram=kilograms=kilo=kilos=kg ounce=ounces=oz ton=tons=tonne=tonnes
    pound=pounds=lb=lbs liter=liters=litre=litres milliliter=milliliters=ml gallon=gallons pint=pints quart=quarts
    cup=cups tablespoon=tablespoons=tbsp teaspoon=teaspoons=tsp dollar=dollars=bucks euro=euros yen cent=cents
    peso=pesos franc=francs rupee=rupees percent=pct degree=degrees hertz=hz megahertz=mhz gigahertz=ghz watt=watts
    kilowatt=kilowatts=kw volt=volts byte=bytes kilobyte=kilobytes=kb megabyte=megabytes=mb gigabyte=gigabytes=gb
    terabyte=terabytes=tb mph kph
    """ as StaticString).tableWords.map { row in
        row.split(separator: UInt8(ascii: "=")).map(Array.init)
    }
}
