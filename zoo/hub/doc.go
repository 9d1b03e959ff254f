// Package hub downloads published weights by name into a folder, once, and checks them.
//
// A file is known by its SHA-256. Where the table has all of it, nothing else is accepted. torchvision's and some
// of timm's files have the first 8 or 9 digits of it in their names, which tell damage but not malice; of a few
// files no digest is published where we could read it. For those the caller can give one; else the digest of the
// first download is written beside the file and every later use is compared with it, which File.Verified tells.
//
// A download goes to NAME.part, is resumed there by a Range request as long as the server's file has not
// changed, is tried again with growing pauses, and gets its name only when its digest is right. Processes that
// want the same file wait for each other. What is there needs no network.
package hub
