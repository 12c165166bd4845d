# Aliases of ./run, for those whose fingers say make. make test ARGS="tests/rules -x"
.PHONY: help demo test check bench crash shell
help demo test check bench crash shell:
	@./run $@ $(ARGS)
