// Package config owns the way from the environment to a complete
// configuration: the variables with their defaults, the files that hold their
// values, and the routes that follow from them. It reports every problem at
// once, by variable name, with a fix, and never with the value of a secret.
//
// It never connects to anything. Whether a broker, a topic or a table exists
// is for the parts that use the configuration to find out.
package config
