package v1alpha1

// ImagePattern matches the name of an image: a registry with or without a port, a path, a tag and a digest, as container
// runtimes read them (github.com/distribution/reference). No node can pull an image with another name.
const ImagePattern = `^(([0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?([.][0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?)*|` +
	`[[][0-9A-Fa-f:]+[]])(:[0-9]{1,5})?/)?` +
	`[0-9a-z]+(([.]|__?|-+)[0-9a-z]+)*(/[0-9a-z]+(([.]|__?|-+)[0-9a-z]+)*)*` +
	`(:[0-9A-Z_a-z][-.0-9A-Z_a-z]{0,127})?(@(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?$`
