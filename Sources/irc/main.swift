print("irc")
