/** What all packages share: the exception whose message is for the user, and how JSON is written. */
package dev.layerwise;
