import IRCCommandLine

IRCTool.main()
