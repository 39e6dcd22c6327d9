/**
 * What a run can be told: records of settings that belong together, each with its defaults, its rules, and which of them a
 * resumed run may change. Options of the command line, methods of the library, presets and {@code config.json} all speak of
 * these records.
 *
 * <p>A record is <em>whole</em> where every setting has a value, and <em>partial</em> where those that nobody asked for are
 * null. {@code over} lays a partial record over a whole one, and judges what it says. To add a setting, add a component to
 * its record here; {@code docs/architecture.md} follows one to the arithmetic.
 */
package dev.layerwise.settings;
