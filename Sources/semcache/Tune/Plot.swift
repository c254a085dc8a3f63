// SPDX-License-Identifier: Apache-2.0

/// A drawing of curves, as SVG.
struct Plot: Sendable {
    struct Curve: Sendable {
        let name: String
        /// In the order in which they are joined.
        let points: [(x: Double, y: Double)]
        /// As SVG names it.
        let color: String
        var isDashed = false
    }

    /// One pair of axes, with all its curves.
    struct Panel: Sendable {
        let title: String
        let xTitle: String
        let yTitle: String
        let x: ClosedRange<Double>
        let y: ClosedRange<Double>
        let curves: [Curve]
        /// Digits after the point at the ticks of the x axis.
        var xDigits = 0
    }

    let title: String
    let panels: [Panel]

    private static let (width, height) = (420.0, 340.0)
    private static let (left, right, top, bottom) = (64.0, 20.0, 64.0, 108.0)

    /// A whole document.
    var svg: String {
        let width = Self.text(Self.width * Double(max(1, self.panels.count)))
        let height = Self.text(Self.height + 20)
        var lines = [
            #"<?xml version="1.0" encoding="UTF-8"?>"#,
            #"<svg xmlns="http://www.w3.org/2000/svg" width="\#(width)" height="\#(height)" "#
                + #"viewBox="0 0 \#(width) \#(height)" font-family="sans-serif" font-size="12">"#,
            "<title>\(Self.escaped(self.title))</title>",
            #"<rect width="100%" height="100%" fill="white"/>"#,
            Self.label(self.title, x: 12, y: 22, #"font-size="14" font-weight="bold""#),
        ]
        for (position, panel) in self.panels.enumerated() {
            lines.append(#"<g transform="translate(\#(Self.text(Double(position) * Self.width)),20)">"#)
            lines += Self.axes(panel) + Self.curves(panel) + Self.legend(panel)
            lines.append("</g>")
        }
        return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
    }

    private static func axes(_ panel: Panel) -> [String] {
        let (x, y) = (panel.x, panel.y)
        var lines = [
            self.label(panel.title, x: self.left, y: self.top - 14, #"font-weight="bold""#),
            self.label(
                panel.xTitle, x: (self.left + self.width - self.right) / 2, y: self.height - self.bottom + 36,
                #"text-anchor="middle""#),
            #"<text transform="translate(16,\#(self.text((self.top + self.height - self.bottom) / 2))) rotate(-90)" "#
                + #"text-anchor="middle">\#(self.escaped(panel.yTitle))</text>"#,
        ]
        for tick in self.ticks(x) {
            let place = self.place(tick, y.lowerBound, panel)
            lines.append(self.line(place.x, place.y, place.x, self.top, "#ddd"))
            lines.append(
                self.label(
                    NumberText.fixed(tick, digits: panel.xDigits), x: place.x, y: place.y + 16, #"text-anchor="middle""#
                ))
        }
        for tick in self.ticks(y) {
            let place = self.place(x.lowerBound, tick, panel)
            lines.append(self.line(place.x, place.y, self.width - self.right, place.y, "#ddd"))
            lines.append(
                self.label(NumberText.fixed(tick, digits: 0), x: place.x - 6, y: place.y + 4, #"text-anchor="end""#))
        }
        let corner = self.place(x.lowerBound, y.lowerBound, panel)
        lines.append(self.line(corner.x, corner.y, self.width - self.right, corner.y, "black"))
        lines.append(self.line(corner.x, corner.y, corner.x, self.top, "black"))
        return lines
    }

    private static func curves(_ panel: Panel) -> [String] {
        panel.curves.compactMap { curve in
            let points = curve.points.filter { $0.x.isFinite && $0.y.isFinite }.map { point in
                let x = min(max(point.x, panel.x.lowerBound), panel.x.upperBound)
                let place = self.place(x, min(max(point.y, panel.y.lowerBound), panel.y.upperBound), panel)
                return "\(self.text(place.x)),\(self.text(place.y))"
            }
            guard !points.isEmpty else { return nil }
            let dashes = curve.isDashed ? #" stroke-dasharray="5 3""# : ""
            return #"<polyline points="\#(points.joined(separator: " "))" fill="none" "#
                + #"stroke="\#(self.escaped(curve.color))" stroke-width="1.8"\#(dashes)/>"#
        }
    }

    private static func legend(_ panel: Panel) -> [String] {
        panel.curves.enumerated().flatMap { position, curve in
            let (column, row) = (Double(position % 2), Double(position / 2))
            let x = self.left - 30 + column * (self.width - self.left) / 2
            let y = self.height - self.bottom + 58 + row * 18
            let dashes = curve.isDashed ? #" stroke-dasharray="5 3""# : ""
            return [
                self.line(x, y - 4, x + 22, y - 4, curve.color, #" stroke-width="1.8"\#(dashes)"#),
                self.label(curve.name, x: x + 28, y: y, ""),
            ]
        }
    }

    /// Round numbers, four to ten of them.
    static func ticks(_ range: ClosedRange<Double>) -> [Double] {
        let span = range.upperBound - range.lowerBound
        guard span > 0, span.isFinite else { return [range.lowerBound] }
        var step = 1e-6
        // 1, 2, 5, 10, 20 …
        let factors: [Double] = [2, 2.5, 2]
        var position = 0
        while span / step > 8 {
            step *= factors[position % 3]
            position += 1
        }
        let first = (range.lowerBound / step - 1e-9).rounded(.up)
        let last = (range.upperBound / step + 1e-9).rounded(.down)
        return stride(from: first, through: last, by: 1).map { $0 * step }
    }

    private static func place(_ x: Double, _ y: Double, _ panel: Panel) -> (x: Double, y: Double) {
        let across = (x - panel.x.lowerBound) / max(1e-12, panel.x.upperBound - panel.x.lowerBound)
        let up = (y - panel.y.lowerBound) / max(1e-12, panel.y.upperBound - panel.y.lowerBound)
        let (width, height) = (self.width - self.left - self.right, self.height - self.top - self.bottom)
        return (self.left + across * width, self.height - self.bottom - up * height)
    }

    private static func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String, _ more: String = ""
    ) -> String {
        #"<line x1="\#(self.text(x1))" y1="\#(self.text(y1))" x2="\#(self.text(x2))" y2="\#(self.text(y2))" "#
            + #"stroke="\#(self.escaped(color))"\#(more)/>"#
    }

    private static func label(_ text: String, x: Double, y: Double, _ more: String) -> String {
        #"<text x="\#(self.text(x))" y="\#(self.text(y))" \#(more)>\#(self.escaped(text))</text>"#
    }

    private static func text(_ number: Double) -> String { NumberText.fixed(number, digits: 1) }

    /// For text and attributes. What XML has no form for is replaced.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "\t", "\n", "\r": escaped += " "
            case _ where scalar.value < 0x20 || scalar.value == 0xfffe || scalar.value == 0xffff: escaped += "\u{fffd}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
