/** Files of any kind: written whole or not at all, with errors and names in words, in the folders of the user. */
package dev.layerwise.files;
