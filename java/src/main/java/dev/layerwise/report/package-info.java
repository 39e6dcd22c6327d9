/**
 * What runs gave: tables of repeated runs, and a page that compares runs ({@link dev.layerwise.report.ReportPage}).
 *
 * <p>The page's charts are SVG elements that this package writes itself, in a few hundred lines, and not a charting
 * library's: those draw each letter and line in fixed colors, while these charts take theirs from the page's style
 * sheet (dark mode, printing), name themselves to screen readers, and stay small however long a run is.
 */
package dev.layerwise.report;
