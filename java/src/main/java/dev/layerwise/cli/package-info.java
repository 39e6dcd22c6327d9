/** The command line: commands and their options, and what they print. It only asks the other packages for the work. */
package dev.layerwise.cli;
