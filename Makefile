# Aliases of ./run, for those whose fingers say make. make test ARGS="tests/rules -x"
.PHONY: help demo setup test check bench crash shell
help demo setup test check bench crash shell:
	@./run $@ $(ARGS)
